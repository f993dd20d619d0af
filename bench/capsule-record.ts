import {
  createMemoryFiles,
  createRecording,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  createCapsulePool,
  serveFiles,
  startCapsuleProcess,
  systemPowers,
  type CapsuleFiles,
  type RunTrace
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { assembleProgram } from '../test/support/wat.ts'
import { join } from 'node:path'
import { rigMissing } from './capsule-rig.ts'
import type { Benchmark, Sides } from './harness.ts'

/** What runs inside the sandbox, as people have it. */
const GUEST_ENTRY = join(import.meta.dirname, '..', 'dist', 'capsule-guest.mjs')
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

async function openRecordingSides(fileBytes: number): Promise<Sides> {
  await using stack = new AsyncDisposableStack()
  const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
  const sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
  const pool = stack.use(createCapsulePool({ ...components, sandbox }))
  const files = createMemoryFiles({ clock: systemClock })
  const handle = await files.open('data', { isCreating: true, isWriting: true })
  await handle.write(0, new Uint8Array(fileBytes).fill(7))
  pool.take(DEFAULT_CAPSULE_LIMITS)
  const run = async (trace?: RunTrace): Promise<number> => {
    await pool.settled()
    return await runBusy({ ...components, sandbox, pool }, files, trace)
  }
  const running = stack.move()
  return {
    baseline: async () => await run(),
    ours: async () => {
      const recording = createRecording({
        ...{ name: 'bench', version: '1.0.0', args: [], hasFiles: true, keepsInput: true, module: BUSY },
        memoryBytesMax: DEFAULT_CAPSULE_LIMITS.memoryBytesMax,
        write: async () => await Promise.resolve()
      })
      return await run(recording.trace)
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync()
  }
}

async function runBusy(
  components: Parameters<typeof startCapsuleProcess>[0],
  files: CapsuleFiles,
  trace: RunTrace | undefined
): Promise<number> {
  const startedMs = performance.now()
  const capsule = startCapsuleProcess(components, {
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
  const outcome = await capsule.finished
  if (outcome.kind !== 'exit') throw outcome.error
  return performance.now() - startedMs
}

/** What recording a run costs it: one that ends before the engine has compiled much, and one eight times as long. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-record', MIB),
  createBenchmark('capsule-record-long', 8 * MIB)
]

function createBenchmark(name: string, fileBytes: number): Benchmark {
  return {
    name,
    unit: 'ms',
    better: 'lower',
    baselineName: 'the same run, not recorded',
    runs: 10,
    target: { speedupMin: 0.95 },
    missing: rigMissing,
    open: async () => await openRecordingSides(fileBytes)
  }
}
