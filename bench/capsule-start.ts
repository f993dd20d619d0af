import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { compileScript } from '../test/support/script-capsule.ts'
import { createRig, firstOutput, rigMissing, WAITS } from './capsule-rig.ts'
import type { Benchmark, Measure } from './harness.ts'

/** From the call that starts a capsule to its first byte of output, of a program of 200 bytes and of a TypeScript one. */
export const benchmarks: readonly Benchmark[] = [
  createBenchmark('capsule-start', { oursMax: 5 }, () => Promise.resolve(WAITS)),
  createBenchmark('capsule-start-script', { oursMax: 20 }, scriptCapsule),
  {
    ...createBenchmark('capsule-start-cold', undefined, () => Promise.resolve(WAITS)),
    open: async () => await openSides(WAITS, { isCold: true })
  },
  {
    ...createBenchmark('capsule-start-wasmtime', undefined, () => Promise.resolve(WAITS)),
    baselineName: 'wasmtime run',
    missing: async () => (findWasmtime() === undefined ? 'no wasmtime on the PATH' : await rigMissing()),
    open: async () => await openWithWasmtime()
  }
]

function createBenchmark(
  name: string,
  target: Benchmark['target'],
  program: () => Promise<Uint8Array>
): Benchmark {
  return {
    name,
    unit: 'ms',
    better: 'lower',
    baselineName: 'node -e 0',
    runs: 20,
    ...(target === undefined ? {} : { target }),
    missing: rigMissing,
    open: async () => await openSides(await program())
  }
}

/** A capsule written in TypeScript, its engine within; it says a word and ends. */
async function scriptCapsule(): Promise<Uint8Array> {
  return await compileScript(`capsule.write('ready')\n`)
}

async function openSides(module: Uint8Array, run: { isCold?: boolean } = {}): ReturnType<Benchmark['open']> {
  const rig = await createRig()
  return {
    ours: async () => {
      const { capsule, afterMs } = firstOutput(performance.now(), (onOutput) =>
        rig.start(module, { onOutput, ...run })
      )
      await using _running = capsule
      const ms = await afterMs
      await rig.pool.settled()
      return ms
    },
    baseline: runToEnd(process.execPath, ['-e', '0']),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]()
  }
}

async function openWithWasmtime(): ReturnType<Benchmark['open']> {
  const sides = await openSides(WAITS)
  const folder = await mkdtemp(join(tmpdir(), 'elastos-bench-'))
  const module = join(folder, 'program.wasm')
  await writeFile(module, WAITS)
  return {
    ours: sides.ours,
    baseline: runToEnd(findWasmtime() ?? 'wasmtime', ['run', module]),
    [Symbol.asyncDispose]: async () => {
      await sides[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    }
  }
}

function runToEnd(command: string, args: readonly string[]): Measure {
  return async () => {
    const startedMs = performance.now()
    const child = spawn(command, args, { stdio: 'ignore' })
    await once(child, 'exit')
    return performance.now() - startedMs
  }
}

function findWasmtime(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, 'wasmtime')).find((path) => existsSync(path))
}
