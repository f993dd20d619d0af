import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { DelayProxyInit } from './delay-proxy.ts'
import { attachNamespace, startNamespaceLab, type AttachedNamespace } from './namespace-lab.ts'
import { startProcess } from './process.ts'

/** What a {@link LossyNetwork} is like. */
export interface LossyNetworkInit {
  /** How many hosts, at most {@link HOSTS_MAX}. */
  readonly hosts: number
  /** TCP ports of the hosts that can be called; every other one refuses. */
  readonly ports: readonly number[]
  /** Milliseconds one way between two hosts. */
  readonly delayMs: (from: number, to: number) => number
  /** Packets lost on each link, each way, of a thousand. */
  readonly lossPerMille: number
  /** What each link carries each way, in millions of bits a second. */
  readonly rateMbit: number
}

/** A host: a network namespace with a public address of its own, in a network of its own. */
export interface LossyHost {
  readonly address: string
  /** What to put before a command line so that it runs there. */
  readonly within: readonly string[]
}

/** Hosts on slow, lossy links to one another. Disposing it takes them all down. */
export interface LossyNetwork extends AsyncDisposable {
  readonly hosts: readonly LossyHost[]
  /** Pulls a host's cable, so that nothing tells anybody that it is gone, or puts it back. */
  cable(host: number, state: 'up' | 'down'): Promise<void>
  /** Packets lost so far. */
  lost(): Promise<number>
}

/** Their networks begin with numbers from 20 on, which all are public. */
export const HOSTS_MAX = 40

const PROGRAM = join(import.meta.dirname, 'delay-proxy-program.ts')
/** Ports of the proxy: one for each port of each host. */
const PROXY_PORT = 20_000
const TBF_BURST = '32kb'
const TBF_LATENCY = '300ms'

/**
 * Lays out the network: a star of links, each with its rate (tbf) and its loss (nftables), whose middle passes on no
 * connection but through the delay proxy. Ask `needs(this, 'namespaces', 'nft', 'rates')` first.
 */
export async function startLossyNetwork(init: LossyNetworkInit): Promise<LossyNetwork> {
  assert.ok(init.hosts <= HOSTS_MAX, `expected at most ${HOSTS_MAX} hosts, got ${init.hosts}`)
  await using stack = new AsyncDisposableStack()
  const plan = planProxy(init)
  const hosts = Array.from({ length: init.hosts }, (_, host) => attachedHost(host))
  const lab = stack.use(
    await startNamespaceLab({
      lines: [...hosts.flatMap((host) => hostLines(host, init)), ...middleLines(plan, init.lossPerMille)],
      links: hosts.map(({ name }) => `${name} wan`)
    })
  )
  const [command, ...args] = [...lab.within(), process.execPath, PROGRAM]
  const proxy = stack.use(await startProcess({ command, args }))
  proxy.write(`${JSON.stringify(plan)}\n`)
  await proxy.event('ready')
  const running = stack.move()
  return {
    hosts: hosts.map(({ name, network }) => ({ address: `${network}.2`, within: lab.within(name) })),
    cable: async (host, state) => {
      await lab.run(`ip link set ${attachedHost(host).link} ${state}`)
    },
    lost: async () => {
      const listings = hosts.map(({ name }) => `ip netns exec ${name} nft list table ip loss`)
      const text = await lab.run(['nft list table ip loss', ...listings].join('; '))
      return [...text.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
    },
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

function attachedHost(host: number): AttachedNamespace {
  return { name: `host-${host}`, network: `${20 + host}.7.0`, link: `to-${host}` }
}

/** The address that the proxy calls from on behalf of a host, before it becomes that of the host. */
function callerOf(host: number): string {
  return `10.99.0.${host + 1}`
}

function planProxy({ hosts, ports, delayMs }: LossyNetworkInit): DelayProxyInit {
  const all = Array.from({ length: hosts }, (_, host) => host)
  const address = (host: number): string => `${attachedHost(host).network}.2`
  return {
    relays: all.flatMap((place) =>
      ports.map((port, at) => ({
        listen: PROXY_PORT + place * ports.length + at,
        place,
        host: address(place),
        port
      }))
    ),
    places: Object.fromEntries(all.map((host) => [address(host), host])),
    delaysMs: all.map((from) => all.map((to) => delayMs(from, to))),
    callers: all.map(callerOf)
  }
}

function hostLines(host: AttachedNamespace, { lossPerMille, rateMbit }: LossyNetworkInit): string[] {
  const tbf = `root tbf rate ${rateMbit}mbit burst ${TBF_BURST} latency ${TBF_LATENCY}`
  return [
    ...attachNamespace(host),
    `tc qdisc add dev ${host.link} ${tbf}`,
    `tc -n ${host.name} qdisc add dev wan ${tbf}`,
    // Packets get lost where they come in: where they go out, the sender would notice.
    `printf '%s\\n' '${lossRules('wan', lossPerMille)}' | ip netns exec ${host.name} nft -f -`
  ]
}

function lossRules(link: string, lossPerMille: number): string {
  const drop = `iifname "${link}" numgen random mod 1000 < ${lossPerMille} counter drop;`
  return `table ip loss {\nchain in { type filter hook prerouting priority raw; ${drop}\n}\n}`
}

/** Every connection ends at the proxy, which calls on in the name of the caller. */
function middleLines({ relays, callers }: DelayProxyInit, lossPerMille: number): string[] {
  const rules = [
    'table ip middle {',
    'chain arriving { type nat hook prerouting priority dstnat;',
    ...relays.map(({ host, port, listen }) => `ip daddr ${host} tcp dport ${port} redirect to :${listen};`),
    '}',
    'chain leaving { type nat hook postrouting priority srcnat;',
    ...callers.map(
      (caller, host) => `ip saddr ${caller} ip daddr != 10.99.0.0/16 snat to ${attachedHost(host).network}.2;`
    ),
    '}',
    // What the proxy does not delay does not get through.
    'chain through { type filter hook forward priority filter; meta l4proto tcp reject with tcp reset; drop; }',
    '}'
  ]
  return [
    ...callers.map((caller) => `ip addr add ${caller}/32 dev lo`),
    `printf '%s\\n' '${rules.join('\n')}' '${lossRules('to-*', lossPerMille)}' | nft -f -`
  ]
}
