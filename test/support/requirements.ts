import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { promisify } from 'node:util'
import { hasTerminal } from './pty.ts'

const run = promisify(execFile)

/** The name of something a test may need. */
export type Requirement =
  | 'apt'
  | 'bubblewrap'
  | 'prlimit'
  | 'terminal'
  | 'go'
  | 'clang for WASI'
  | 'rust for WASI'
  | 'linux'
  | 'kvm'
  | 'namespaces'
  | 'nft'
  | 'qemu'
  | 'rates'
  | 'root'
  | 'user other than root'

const COMPILE_C =
  'for c in /opt/wasi-sdk/bin/clang clang clang-14; do ' +
  'echo "int main(){}" | "$c" --target=wasm32-wasi -x c -o /dev/null - && exit; done; exit 1'
const RATE = 'rate 1mbit burst 32kb latency 300ms'
const FIND_RUST = 'test -d "$(rustc --target wasm32-wasip1 --print target-libdir)"'

/** What a test may need from the machine, and how a reader of the summary gets it. */
const REQUIREMENTS: Readonly<Record<Requirement, { isMet: () => Promise<boolean>; reason: string }>> = {
  apt: {
    isMet: () =>
      succeeds('sh', ['-c', 'apt-get --version && dpkg-deb --version && dpkg --print-architecture']),
    reason: 'no apt-get and dpkg-deb here: packages of Debian are had on Debian and what is made of it'
  },
  bubblewrap: {
    isMet: () => succeeds('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true']),
    reason:
      'bubblewrap cannot make a sandbox here (apt-get install bubblewrap; unprivileged user namespaces allowed)'
  },
  prlimit: {
    isMet: () => succeeds('prlimit', ['--version']),
    reason: 'prlimit is absent (apt-get install util-linux)'
  },
  terminal: { isMet: hasTerminal, reason: 'no pseudo-terminal: script is absent (apt-get install bsdutils)' },
  go: { isMet: () => succeeds('go', ['version']), reason: 'Go is absent: Kubo cannot be built' },
  'clang for WASI': {
    isMet: () => succeeds('sh', ['-c', COMPILE_C]),
    reason: 'no clang with a WASI library (apt-get install clang lld wasi-libc libclang-rt-dev-wasm32)'
  },
  'rust for WASI': {
    isMet: () => succeeds('sh', ['-c', FIND_RUST]),
    reason: 'no Rust for wasm32-wasip1 (rustup target add wasm32-wasip1)'
  },
  linux: {
    isMet: () => Promise.resolve(process.platform === 'linux'),
    reason: 'not Linux: there is no /proc'
  },
  kvm: {
    isMet: () =>
      access('/dev/kvm', constants.R_OK | constants.W_OK).then(
        () => true,
        () => false
      ),
    reason: '/dev/kvm cannot be opened'
  },
  namespaces: {
    isMet: () => succeeds('unshare', ['-rmn', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt && ip link set lo up']),
    reason: 'namespaces are refused here (util-linux, iproute2; unprivileged user namespaces allowed)'
  },
  nft: {
    isMet: () => succeeds('unshare', ['-rmn', 'nft', 'add', 'table', 'ip', 'probe']),
    reason: 'packet filters of a namespace are refused here (apt-get install nftables)'
  },
  qemu: {
    isMet: () =>
      succeeds('sh', ['-c', 'test "$(uname -m)" = x86_64 && qemu-system-x86_64 -M help | grep -q microvm']),
    reason: 'no QEMU with the machine microvm for x86-64 here (apt-get install qemu-system-x86)'
  },
  rates: {
    isMet: () =>
      succeeds('unshare', ['-rmn', 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'tbf', ...RATE.split(' ')]),
    reason: 'links of a namespace cannot be given a rate here (tc of iproute2, sch_tbf of the kernel)'
  },
  root: { isMet: () => Promise.resolve(process.getuid?.() === 0), reason: 'does not run as root' },
  'user other than root': {
    isMet: () => Promise.resolve(process.getuid?.() !== 0),
    reason: 'runs as root, whom file modes do not stop'
  }
}

const answers = new Map<Requirement, Promise<boolean>>()

/** Whether this machine has what a test needs; asked once a run. */
export function isMet(requirement: Requirement): Promise<boolean> {
  let answer = answers.get(requirement)
  answer ??= REQUIREMENTS[requirement].isMet()
  answers.set(requirement, answer)
  return answer
}

/**
 * Skips the running test, or with it every test of a `before` hook's suite, unless the machine has all of
 * `requirements`. The summary of `npm test` then names the test and the reason.
 *
 * @example
 * ```ts
 * before(async function () { await needs(this, 'bubblewrap', 'prlimit') })
 * ```
 */
export async function needs(context: Mocha.Context, ...requirements: Requirement[]): Promise<void> {
  for (const requirement of requirements) {
    if (!(await isMet(requirement))) skipBecause(context, REQUIREMENTS[requirement].reason)
  }
}

/** Skips as {@link needs} does, for a reason of the test's own. */
export function skipBecause(context: Mocha.Context, reason: string): never {
  const runnable = context.test
  const suite = runnable?.parent
  const isHook = (runnable as { type?: string } | undefined)?.type === 'hook'
  const marked = isHook && suite !== undefined ? suite : runnable
  if (marked !== undefined) Object.assign(marked, { skipReason: reason })
  return context.skip()
}

function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args, { timeout: 10_000 }).then(
    () => true,
    () => false
  )
}
