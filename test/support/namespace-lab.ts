import assert from 'node:assert/strict'
import { startNamespaceShell } from './namespace.ts'

/** Network namespaces that see nobody but each other. Disposing it takes them all down. */
export interface NamespaceLab extends AsyncDisposable {
  /**
   * What to put before a command line so that it runs in a namespace, or, without a name, in that of the shell, where
   * the links of the others end. What runs there is killed when the process that started it dies.
   */
  within(namespace?: string): readonly string[]
  /** Runs a command line in the shell; what it wrote. */
  run(line: string): Promise<string>
}

/** What {@link startNamespaceLab} lays out. */
export interface NamespaceLabInit {
  /** Shell commands that do it. */
  readonly lines: readonly string[]
  /** Links that have to be up before anything starts: a namespace, a space, an interface. */
  readonly links: readonly string[]
}

/**
 * Lays out a lab. All of it belongs to one shell, which ends with its input: nothing is left behind, whatever becomes of
 * the process that started it. Ask `needs(this, 'namespaces')` first.
 */
export async function startNamespaceLab({ lines, links }: NamespaceLabInit): Promise<NamespaceLab> {
  await using stack = new AsyncDisposableStack()
  const shell = stack.use(await startNamespaceShell())
  const all = [
    'set -e',
    // named namespaces are kept in /run, and that of the machine is none of ours
    'mount -t tmpfs tmpfs /run',
    'ip link set lo up',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    ...lines,
    // an interface counts, for node as for the kernel, when its carrier has been noticed
    ...links.map(
      (link) => `until ip -n ${link.replace(' ', ' link show ')} | grep -q 'state UP'; do sleep 0.05; done`
    ),
    'echo "shell $$"'
  ]
  const { code, text } = await shell.run(`( ${all.join('\n')}\n)`)
  const pid = /^shell (\d+)$/m.exec(text)?.[1]
  assert.ok(code === 0 && pid !== undefined, `the lab was not laid out: ${text}`)
  const running = stack.move()
  return {
    within: (namespace) => [
      ...['nsenter', '-t', pid, '-U', '-m', '-n', '--preserve-credentials', '--'],
      ...(namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--']),
      ...['setpriv', '--pdeathsig', 'KILL', '--']
    ],
    run: async (line) => {
      const step = await shell.run(line)
      assert.equal(step.code, 0, step.text)
      return step.text
    },
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

/** A namespace at the end of a link to that of the shell. */
export interface AttachedNamespace {
  readonly name: string
  /** The first three numbers of its addresses: the namespace has `.2` on `wan`, the shell `.1`. */
  readonly network: string
  /** The shell's end of the link. */
  readonly link: string
}

/** The commands that make a namespace and attach it. */
export function attachNamespace({ name, network, link }: AttachedNamespace): string[] {
  return [
    `ip netns add ${name}`,
    `ip link add ${link} type veth peer name wan netns ${name}`,
    `ip addr add ${network}.1/24 dev ${link}`,
    `ip link set ${link} up`,
    `ip -n ${name} addr add ${network}.2/24 dev wan`,
    `ip -n ${name} link set wan up`,
    `ip -n ${name} link set lo up`,
    `ip -n ${name} route add default via ${network}.1`
  ]
}
