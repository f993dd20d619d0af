import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Machine } from '#vmm'
import { buildTestGuest, writeImage } from '../test/support/guest.ts'
import {
  machineInit,
  openTestPool,
  probeHere,
  spareSettled,
  startTestMachine
} from '../test/support/machine.ts'
import { isMet } from '../test/support/requirements.ts'
import { weigh } from './capsule-memory.ts'
import { createRig, firstOutput, rigMissing, WAITS } from './capsule-rig.ts'
import type { Benchmark, Measure, Sides } from './harness.ts'

const BULK_MB = 64
const BULK_BLOCK_BYTES = 65_536
const ECHO_BYTES = 16
const ECHOES = 200

/**
 * Where a machine comes from: its kernel, a template of its image in a monitor that waited or in a new one, a template of any image in
 * a new one, or one that waited already.
 */
type Origin = 'kernel' | 'image' | 'image anew' | 'template' | 'waiting'

/** Starts machines as a node does: in the jail, a guest with a shell. */
interface MachineRig extends AsyncDisposable {
  /** Resolves when the machine is told what to run. */
  start(origin: Origin, ...args: readonly string[]): Promise<Machine>
  /**
   * Resolves when nothing is being prepared: a machine or a monitor waits, where one does, and an image that was asked for twice has
   * its template.
   */
  settled(): Promise<void>
  /** How many templates there are for machines of this origin. */
  templateCount(origin: Origin): Promise<number>
}

const CAPSULE = 'a WebAssembly capsule without a ready process'

/** A machine of its own beside a WebAssembly capsule, or beside the same program on this host. */
export const benchmarks: readonly Benchmark[] = [
  {
    ...createBenchmark('machine-start', { unit: 'ms', better: 'lower', runs: 10 }),
    baselineName: CAPSULE,
    target: { oursMax: 2000 },
    open: async () => await besideCapsule(startTime('kernel'), (capsule) => capsule.afterMs)
  },
  {
    ...createBenchmark('machine-restore', { unit: 'ms', better: 'lower', runs: 10 }),
    baselineName: CAPSULE,
    target: { oursMax: 100 },
    open: async () => await besideCapsule(startTime('image'), (capsule) => capsule.afterMs)
  },
  {
    ...createBenchmark('machine-restore-cold-monitor', { unit: 'ms', better: 'lower', runs: 10 }),
    baselineName: CAPSULE,
    open: async () => await besideCapsule(startTime('image anew'), (capsule) => capsule.afterMs)
  },
  {
    ...createBenchmark('machine-restore-any', { unit: 'ms', better: 'lower', runs: 10 }),
    baselineName: CAPSULE,
    open: async () => await besideCapsule(startTime('template'), (capsule) => capsule.afterMs)
  },
  {
    ...createBenchmark('machine-warm', { unit: 'ms', better: 'lower', runs: 10 }),
    baselineName: CAPSULE,
    target: { oursMax: 100 },
    open: async () => await besideCapsule(startTime('waiting'), (capsule) => capsule.afterMs)
  },
  {
    ...createBenchmark('machine-memory', { unit: 'MiB', better: 'lower', runs: 3 }),
    baselineName: 'a WebAssembly capsule',
    open: async () =>
      await besideCapsule(memoryOfOne, async ({ pid, startAnother }) => {
        await using _ = await startAnother()
        return await weigh(pid)
      })
  },
  {
    ...createBenchmark('machine-echo', { unit: 'µs', better: 'lower', runs: 5 }),
    baselineName: 'cat over pipes',
    open: async () => await besideHost('cat', [], echoTime)
  },
  {
    ...createBenchmark('machine-channel', { unit: 'MB/s', better: 'higher', runs: 5 }),
    baselineName: 'the same over a pipe',
    open: async () =>
      await besideHost(
        'dd',
        ['if=/dev/zero', `bs=${BULK_BLOCK_BYTES}`, `count=${Math.round((BULK_MB * 1e6) / BULK_BLOCK_BYTES)}`],
        bulkRate
      )
  }
]

function createBenchmark(
  name: string,
  o: Pick<Benchmark, 'unit' | 'better' | 'runs'>
): Pick<Benchmark, 'name' | 'unit' | 'better' | 'runs' | 'missing'> {
  return { name, ...o, missing }
}

async function missing(): Promise<string | undefined> {
  for (const needed of ['qemu', 'bubblewrap', 'prlimit'] as const)
    if (!(await isMet(needed))) return `no ${needed}`
  return await rigMissing()
}

async function createMachineRig(): Promise<MachineRig> {
  const { guest, shell } = await buildTestGuest()
  const report = await probeHere(guest)
  const folder = await mkdtemp(join(tmpdir(), 'elastos-bench-'))
  const image = join(folder, 'root.erofs')
  await writeImage(image, shell)
  console.error(`machines: ${report.tier} (${report.reason})`)
  const pools = {
    image: openTestPool(join(folder, 'image'), { warmMax: 0 }),
    'image anew': openTestPool(join(folder, 'image anew'), { warmMax: 0, spareMax: 0 }),
    template: openTestPool(join(folder, 'template'), { warmMax: 0, spareMax: 0 }),
    waiting: openTestPool(join(folder, 'waiting'))
  }
  const hash = createHash('sha256')
    .update(await readFile(image))
    .digest('hex')
  return {
    start: async (origin, ...args) => {
      const change = origin.startsWith('image') ? { disks: [{ path: image, isReadOnly: true, hash }] } : {}
      const init = { report, guest, image, program: { args }, change }
      return origin === 'kernel' ? startTestMachine(init) : await pools[origin].start(machineInit(init))
    },
    templateCount: async (origin) => (await readdir(join(folder, origin, 'templates'))).length,
    settled: async () => {
      for (const pool of Object.values(pools)) await pool.settled()
      await spareSettled(pools.image)
    },
    [Symbol.asyncDispose]: async () => {
      for (const pool of Object.values(pools)) await pool[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    }
  }
}

/** Standard streams of a program, wherever it runs. */
interface Program {
  write(bytes: Uint8Array): Promise<unknown>
  readonly output: AsyncIterator<Uint8Array>
}

/** From the call that starts it to the first byte of its program. */
function startTime(origin: Origin): (rig: MachineRig) => Promise<number> {
  const prepared = new WeakSet<MachineRig>()
  return async (rig) => {
    if (origin.startsWith('image') && !prepared.has(rig)) {
      prepared.add(rig)
      for (let count = 0; count < 2; count += 1) await startOnce(rig, origin)
      await rig.settled()
      const count = await rig.templateCount(origin)
      if (count !== 2)
        throw new Error(`expected a template with the image beside the other; got ${count} in all`)
    }
    return await startOnce(rig, origin)
  }
}

async function startOnce(rig: MachineRig, origin: Origin): Promise<number> {
  await rig.settled()
  const startedAt = performance.now()
  await using machine = await rig.start(origin, '/bin/busybox', 'echo', 'ready')
  await machine.stdout.incoming[Symbol.asyncIterator]().next()
  return performance.now() - startedAt
}

/** Of one of two from the same template: what both share is counted for neither. */
async function memoryOfOne(rig: MachineRig): Promise<number> {
  await using other = await rig.start('template', '/bin/busybox', 'cat')
  await using machine = await rig.start('template', '/bin/busybox', 'cat')
  await Promise.all([other.started, machine.started])
  return await weigh(machine.pid)
}

async function besideCapsule(
  ours: (rig: MachineRig) => Promise<number>,
  baseline: (capsule: {
    readonly afterMs: Promise<number>
    readonly pid: number | undefined
    /** Of the same capsule: what both share is counted for neither. */
    readonly startAnother: () => Promise<AsyncDisposable>
  }) => Promise<number>
): Promise<Sides> {
  const machines = await createMachineRig()
  const capsules = await createRig()
  const start = (): ReturnType<typeof firstOutput> =>
    firstOutput(performance.now(), (onOutput) => capsules.start(WAITS, { onOutput, isCold: true }))
  const startAnother = async (): Promise<AsyncDisposable> => {
    const { capsule, afterMs } = start()
    await afterMs
    return capsule
  }
  return {
    ours: () => ours(machines),
    baseline: async () => {
      const { capsule, afterMs } = start()
      await using running = capsule
      await afterMs
      return await baseline({ afterMs, pid: running.process.pid, startAnother })
    },
    [Symbol.asyncDispose]: async () => {
      await machines[Symbol.asyncDispose]()
      await capsules[Symbol.asyncDispose]()
    }
  }
}

async function besideHost(
  program: string,
  args: readonly string[],
  measure: (program: Program) => Promise<number>
): Promise<Sides> {
  const rig = await createMachineRig()
  return {
    ours: async () => {
      await using machine = await rig.start('template', '/bin/busybox', program, ...args)
      await machine.started
      const { stdin, stdout } = machine
      return await measure({
        write: (bytes) => stdin.write(bytes),
        output: stdout.incoming[Symbol.asyncIterator]()
      })
    },
    baseline: onHost(program, args, measure),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]()
  }
}

function onHost(
  program: string,
  args: readonly string[],
  measure: (program: Program) => Promise<number>
): Measure {
  return async () => {
    const child: ChildProcessByStdio<Writable, Readable, null> = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'ignore']
    })
    const exited = once(child, 'exit')
    const output = (child.stdout as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    const write = async (bytes: Uint8Array): Promise<void> => void child.stdin.write(bytes)
    const measured = await measure({ write, output })
    child.kill('SIGKILL')
    await exited
    return measured
  }
}

/** Median of a few bytes there and back, microseconds. */
async function echoTime({ write, output }: Program): Promise<number> {
  const times: number[] = []
  for (let echo = 0; echo < ECHOES; echo += 1) {
    const startedAt = performance.now()
    await write(Buffer.alloc(ECHO_BYTES, echo))
    for (let bytes = 0; bytes < ECHO_BYTES;) bytes += (await take(output))?.byteLength ?? ECHO_BYTES
    times.push((performance.now() - startedAt) * 1000)
  }
  return times.toSorted((a, b) => a - b)[ECHOES / 2] ?? Number.NaN
}

/** From the first byte to the last. */
async function bulkRate({ output }: Program): Promise<number> {
  await output.next()
  const startedAt = performance.now()
  let bytes = 0
  for (let chunk = await take(output); chunk !== undefined; chunk = await take(output))
    bytes += chunk.byteLength
  return bytes / 1e6 / ((performance.now() - startedAt) / 1000)
}

async function take(output: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const next = await output.next()
  return next.done === true ? undefined : next.value
}
