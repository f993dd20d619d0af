import {
  createCapsulePool,
  createMemoryFiles,
  createRecording,
  createTraceFile,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  serveFiles,
  startCapsuleProcess,
  systemPowers,
  type CapsuleFiles,
  type CapsuleOutcome,
  type RunTrace
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assembleProgram } from '../test/support/wat.ts'
import { GUEST_ENTRY, rigMissing } from './capsule-rig.ts'
import type { Benchmark, Sides } from './harness.ts'

const MIB = 1024 * 1024

/**
 * What a busy capsule does: reads a file in pieces of 4 KiB, and for each looks at the clock, draws chance,
 * hashes the piece eight times over and writes a line.
 */
const BUSY = assembleProgram({
  imports: ['clock_time_get', 'random_get', 'path_open', 'fd_read', 'fd_write', 'proc_exit'],
  fields: `(data (i32.const 64) "data")
    (data (i32.const 80) "\\00\\20\\00\\00\\00\\10\\00\\00")
    (data (i32.const 96) "\\00\\20\\00\\00\\40\\00\\00\\00")`,
  body: `(local $at i32) (local $hash i32)
    (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (loop $next
      (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 80) (i32.const 1) (i32.const 8)))
      (if (i32.eqz (i32.load (i32.const 8))) (then (call $proc_exit (i32.const 0))))
      (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 16)))
      (drop (call $random_get (i32.const 32) (i32.const 16)))
      (local.set $at (i32.const 0))
      (loop $hashing
        (local.set $hash (i32.mul (i32.const 16777619)
          (i32.xor (local.get $hash) (i32.load8_u (i32.add (i32.const 8192) (i32.and (local.get $at) (i32.const 4095)))))))
        (br_if $hashing (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 32768))))
      (i32.store (i32.const 8192) (local.get $hash))
      (drop (call $fd_write (i32.const 1) (i32.const 96) (i32.const 1) (i32.const 8)))
      (br $next))`
})

/** What one run cost, milliseconds: by the clock, and of the processors, the host's part included. */
interface RunCost {
  readonly wall: number
  readonly processor: number
}

/** Runs something with the trace it is to be given, and says how that ended. */
type TracedRun = (trace?: RunTrace) => Promise<CapsuleOutcome>

/** The same run again and again, each in a process that waited for it and with nothing else going on. */
class BusyRuns {
  readonly #components: Omit<Parameters<typeof startCapsuleProcess>[0], 'pool'>
  readonly #files: CapsuleFiles
  readonly #meter = new ProcessMeter()

  constructor(sandbox: Awaited<ReturnType<typeof probeSandbox>>, files: CapsuleFiles) {
    const powers = {
      ...systemPowers,
      processorTimes: (pid: number) => {
        this.#meter.begin(pid)
        return systemPowers.processorTimes(pid)
      },
      killProcess: (pid: number) => {
        this.#meter.end(pid)
        systemPowers.killProcess(pid)
      }
    }
    this.#components = { powers, clock: systemClock, logger: silentLogger, sandbox }
    this.#files = files
  }

  /** Measures `work`, from the capsule handed over to all of it done. */
  async measure(work: (run: TracedRun) => Promise<CapsuleOutcome>): Promise<RunCost> {
    const pool = createCapsulePool(this.#components)
    pool.take(DEFAULT_CAPSULE_LIMITS)
    await pool.settled()
    const components = { ...this.#components, pool }
    const host = process.cpuUsage()
    const startedMs = performance.now()
    const outcome = await work(async (trace) => {
      const running = startBusy(components, this.#files, trace)
      // Otherwise the next process would come up beside this run, on the processor that its recording needs.
      await pool[Symbol.asyncDispose]()
      return await running.finished
    })
    const wall = performance.now() - startedMs
    const { user, system } = process.cpuUsage(host)
    if (outcome.kind !== 'exit') throw outcome.error
    return { wall, processor: (user + system) / 1000 + this.#meter.usedMs }
  }
}

/** The processor time of one capsule's process at a time, from where the host first looks at it to where it ends it. */
class ProcessMeter {
  #pid: number | undefined
  #startMs = 0
  /** Milliseconds, of the last process. */
  usedMs = 0

  begin(pid: number): void {
    if (this.#pid === pid) return
    this.#pid = pid
    this.#startMs = threadsMs(pid)
  }

  end(pid: number): void {
    if (this.#pid === pid) this.usedMs = threadsMs(pid) - this.#startMs
  }
}

/** Milliseconds that the threads of a process ran. */
function threadsMs(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  )
  return nanoseconds.reduce((sum, value) => sum + value, 0) / 1e6
}

function startBusy(
  components: Parameters<typeof startCapsuleProcess>[0],
  files: CapsuleFiles,
  trace: RunTrace | undefined
): ReturnType<typeof startCapsuleProcess> {
  return startCapsuleProcess(components, {
    ...{ name: 'bench', module: BUSY, limits: DEFAULT_CAPSULE_LIMITS },
    stdin: (async function* () {
      // Nothing is read.
    })(),
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    files: serveFiles(files, DEFAULT_CAPSULE_LIMITS),
    ...(trace === undefined ? {} : { trace }),
    signal: new AbortController().signal
  })
}

/** Records a run into a file, as a node does. */
async function record(path: string, run: TracedRun): Promise<CapsuleOutcome> {
  await using file = await createTraceFile(path)
  const recording = createRecording({
    ...{ name: 'bench', version: '1.0.0', args: [], hasFiles: true, keepsInput: true, module: BUSY },
    memoryBytesMax: DEFAULT_CAPSULE_LIMITS.memoryBytesMax,
    write: async (parts) => await file.write(parts)
  })
  const outcome = await run(recording.trace)
  await recording.end(outcome)
  return outcome
}

async function openRecordingSides(fileBytes: number, what: keyof RunCost): Promise<Sides> {
  const sandbox = await probeSandbox(
    { powers: systemPowers, clock: systemClock },
    { guestEntry: GUEST_ENTRY }
  )
  const files = createMemoryFiles({ clock: systemClock })
  const handle = await files.open('data', { isCreating: true, isWriting: true })
  await handle.write(0, new Uint8Array(fileBytes).fill(7))
  const runs = new BusyRuns(sandbox, files)
  const folder = await mkdtemp(join(tmpdir(), 'elastos-bench-'))
  const path = join(folder, 'trace')
  return {
    baseline: async () => (await runs.measure(async (run) => await run()))[what],
    ours: async () => {
      const cost = await runs.measure(async (run) => await record(path, run))
      await rm(path)
      return cost[what]
    },
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true })
  }
}

/**
 * What recording a run costs it: one that ends before the engine has compiled much, and one eight times as long; by the
 * clock, and in processor time.
 */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-record', MIB, 'wall'),
  createBenchmark('capsule-record-processor', MIB, 'processor'),
  createBenchmark('capsule-record-long', 8 * MIB, 'wall'),
  createBenchmark('capsule-record-long-processor', 8 * MIB, 'processor')
]

function createBenchmark(name: string, fileBytes: number, what: keyof RunCost): Benchmark {
  return {
    name,
    unit: 'ms',
    better: 'lower',
    baselineName: 'the same run, not recorded',
    runs: 40,
    compare: 'pairs',
    // Of the processors it is shown only: what a second one does meanwhile costs the run nothing.
    ...(what === 'wall' ? { target: { speedupMin: 0.95 } } : {}),
    missing: rigMissing,
    open: async () => await openRecordingSides(fileBytes, what)
  }
}
