import { randomUUID } from 'node:crypto'
import { access, chmod, constants, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { startProcess } from '../support/process.ts'
import { skipBecause } from '../support/requirements.ts'
import { createTemporaryFolder } from '../support/temporary-folder.ts'

/** The Kubo release that the interoperability tests run against. */
export const KUBO_VERSION = 'v0.42.0'

const BUILD_TIMEOUT_MS = 15 * 60_000
const BUILD_PROGRESS_MS = 20_000
const RUN_TIMEOUT_MS = 20_000
const DAEMON_READY_TIMEOUT_MS = 30_000

/** A running Kubo node with a repository of its own, on loopback, that knows nobody. Disposing it removes all of it. */
export interface Kubo extends AsyncDisposable {
  readonly pid: number
  readonly peerId: string
  /** Its listening multiaddrs, each ending in `/p2p/<peerId>`. */
  readonly addresses: readonly string[]
  /** A scratch folder for a test's files, removed with the node. */
  readonly folder: string
  /**
   * Runs `ipfs …args` against this node and returns its trimmed standard output.
   *
   * @throws Error with the command's standard error when it fails or takes longer than `timeoutMs` (20 s)
   */
  run(args: readonly string[], o?: { timeoutMs?: number }): Promise<string>
  /** `ipfs dag export CID > path` */
  exportCar(cid: string, path: string): Promise<void>
}

/**
 * The path of an `ipfs` program, or a skipped suite that names the reason. Call it in a `before` hook:
 *
 * 1. `ELASTOS_KUBO` names a program (`ELASTOS_KUBO=none` skips);
 * 2. else the build kept in `${XDG_CACHE_HOME:-~/.cache}/elastos-test/kubo-<version>/ipfs`;
 * 3. else, where Go is, it is built there once (about five minutes on two cores, 15 at most). `ELASTOS_KUBO_BUILD=1`
 *    builds even when there is a kept one, `ELASTOS_KUBO_BUILD=0` never builds.
 *
 * @example
 * ```ts
 * let program: string
 * before(async function () {
 *   program = await kuboOrSkip(this)
 * })
 * it('fetches from Kubo', async () => {
 *   await using kubo = await startKubo(program)
 *   const cid = await kubo.run(['add', '-Q', '--cid-version=1', path])
 * })
 * ```
 */
export async function kuboOrSkip(context: Mocha.Context): Promise<string> {
  context.timeout(BUILD_TIMEOUT_MS + 60_000)
  const named = process.env['ELASTOS_KUBO']
  if (named === 'none') return skipBecause(context, 'ELASTOS_KUBO=none')
  if (named !== undefined && named !== '') return named
  const kept = keptProgram()
  const wish = process.env['ELASTOS_KUBO_BUILD']
  if (wish !== '1' && (await isExecutable(kept))) return kept
  if (wish === '0') return skipBecause(context, 'Kubo is not built and ELASTOS_KUBO_BUILD=0')
  const go = await findGo()
  if (go === undefined)
    return skipBecause(context, 'Kubo and Go are absent (set ELASTOS_KUBO to an ipfs program)')
  try {
    await buildKubo(go, kept)
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    return skipBecause(context, `Kubo could not be built: ${reason ?? ''}`)
  }
  return kept
}

/**
 * Starts a Kubo node: test profile, loopback only, no bootstrap peers, no mDNS, no telemetry, LAN DHT
 * (`/ipfs/lan/kad/1.0.0`). Connect two by `run(['swarm', 'connect', address])`.
 */
export async function startKubo(program: string): Promise<Kubo> {
  await using stack = new AsyncDisposableStack()
  const home = stack.use(await createTemporaryFolder('kubo-'))
  const repository = join(home.path, 'repo')
  const folder = join(home.path, 'files')
  await mkdir(folder)
  const env = { PATH: process.env['PATH'], HOME: home.path, IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
  const run: Kubo['run'] = (args, o = {}) =>
    runToEnd({ command: program, args, env, timeoutMs: o.timeoutMs ?? RUN_TIMEOUT_MS })
  await run(['init', '--profile=test'])
  await restrict(join(repository, 'config'))
  const daemon = stack.use(await startProcess({ command: program, args: ['daemon'], env }))
  await daemon.stdout.match(/Daemon is ready/, {
    timeoutMs: DAEMON_READY_TIMEOUT_MS,
    context: () => daemon.stderr.text()
  })
  const identity = JSON.parse(await run(['id'])) as { ID: string; Addresses: string[] }
  const running = stack.move()
  return {
    pid: daemon.pid,
    peerId: identity.ID,
    addresses: identity.Addresses,
    folder,
    run,
    exportCar: async (cid, path) => {
      const args = ['-c', '"$0" dag export --progress=false "$1" > "$2"', program, cid, path]
      await runToEnd({ command: 'sh', args, env, timeoutMs: RUN_TIMEOUT_MS })
    },
    [Symbol.asyncDispose]: () => running.disposeAsync()
  }
}

/** What the test profile leaves open: public routers, relays, hole punching and NAT probes. */
async function restrict(path: string): Promise<void> {
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, object>
  Object.assign(config, {
    Routing: { ...config['Routing'], Type: 'dht' },
    AutoNAT: { ServiceMode: 'disabled' },
    Plugins: { Plugins: { telemetry: { Disabled: true } } },
    Version: { SwarmCheckDisabled: true },
    Swarm: {
      ...config['Swarm'],
      EnableHolePunching: false,
      RelayClient: { Enabled: false },
      RelayService: { Enabled: false },
      Transports: { Network: { Relay: false }, Security: {}, Multiplexers: {} }
    }
  })
  await writeFile(path, JSON.stringify(config, undefined, 2), { mode: 0o600 })
}

async function runToEnd(o: {
  command: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
  timeoutMs: number
  cwd?: string
}): Promise<string> {
  const { command, args, env } = o
  await using running = await startProcess({
    command,
    args,
    env,
    ...(o.cwd === undefined ? {} : { cwd: o.cwd })
  })
  running.endInput()
  const timer = setTimeout(() => running.signal('SIGKILL'), o.timeoutMs)
  const end = await running.ended.finally(() => clearTimeout(timer))
  if (end.code === 0) return running.stdout.text().trim()
  const why =
    end.signal === null ? `exit code ${String(end.code)}` : `${end.signal} after at most ${o.timeoutMs} ms`
  throw new Error(
    `${args.slice(0, 2).join(' ')} failed (${why}): ${running.stderr.text().trim().slice(-500)}`
  )
}

function keptProgram(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'elastos-test', `kubo-${KUBO_VERSION}`, 'ipfs')
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false
  )
}

async function findGo(): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/go/bin']
  for (const folder of folders) {
    const path = join(folder, 'go')
    if (folder !== '' && (await isExecutable(path))) return path
  }
  return undefined
}

/**
 * Builds Kubo as the one dependency of an empty module: unlike `go install`, that needs no list of its versions from
 * the module proxy. Checksums are verified by Go as usual.
 */
async function buildKubo(go: string, target: string): Promise<void> {
  await using module = await createTemporaryFolder('kubo-build-')
  await writeFile(
    join(module.path, 'go.mod'),
    `module elastos.test/kubo\n\ngo 1.26\n\nrequire github.com/ipfs/kubo ${KUBO_VERSION}\n`
  )
  const unfinished = join(target, '..', `ipfs.${randomUUID()}`)
  await mkdir(join(target, '..'), { recursive: true })
  const startedMs = performance.now()
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - startedMs) / 1_000)
    process.stderr.write(
      `      building Kubo ${KUBO_VERSION}: ${seconds} s so far (once; kept in the cache)\n`
    )
  }, BUILD_PROGRESS_MS)
  try {
    await runToEnd({
      command: 'nice',
      args: ['-n', '19', go, 'build', '-trimpath', '-o', unfinished, 'github.com/ipfs/kubo/cmd/ipfs'],
      env: {
        ...process.env,
        CGO_ENABLED: '0',
        GOFLAGS: '-mod=mod -buildvcs=false -p=1',
        GOTOOLCHAIN: 'local'
      },
      timeoutMs: BUILD_TIMEOUT_MS,
      cwd: module.path
    })
    await chmod(unfinished, 0o755)
    await rename(unfinished, target)
  } finally {
    clearInterval(progress)
    await rm(unfinished, { force: true })
  }
}
