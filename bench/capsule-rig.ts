import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  createCapsulePool,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  startCapsuleProcess,
  systemPowers,
  type CapsuleLimits,
  type CapsuleOutcome,
  type CapsulePool,
  type CapsuleProcess,
  type CapsuleProcessInit
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { assembleProgram } from '../test/support/wat.ts'

/** What runs inside the sandbox, as people have it. */
export const GUEST_ENTRY: string = join(import.meta.dirname, '..', 'dist', 'capsule-guest.mjs')

/** Starts capsules as a node does. */
export interface CapsuleRig extends AsyncDisposable {
  readonly pool: CapsulePool
  start(module: Uint8Array, run?: RigRun): RigCapsule
}

/** What a capsule of the rig gets. Its input never comes and never ends. */
export interface RigRun {
  readonly limits?: Partial<CapsuleLimits>
  readonly channel?: CapsuleProcessInit['channel']
  readonly onOutput?: (bytes: Uint8Array) => void
  /** Whether it waits for a process of its own though one is ready. */
  readonly isCold?: boolean
}

/** A capsule of the rig. */
export interface RigCapsule extends AsyncDisposable {
  readonly process: CapsuleProcess
  readonly finished: Promise<CapsuleOutcome>
}

/** Why there can be no rig here, `undefined` when there can. */
export async function rigMissing(): Promise<string | undefined> {
  if (!existsSync(GUEST_ENTRY)) return 'no bundle: npm run build'
  const { level, layout } = await probeSandbox(
    { powers: systemPowers, clock: systemClock },
    { guestEntry: GUEST_ENTRY }
  )
  return layout === undefined ? `capsules are held at the level "${level}" only: elastos doctor` : undefined
}

/** Looks at the machine and has one process ready. */
export async function createRig(init: { warmMax?: number } = {}): Promise<CapsuleRig> {
  const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
  const sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
  const pool = createCapsulePool({ ...components, sandbox }, init)
  const cold = { take: () => undefined, output: pool.output }
  pool.take(DEFAULT_CAPSULE_LIMITS)
  await pool.settled()
  return {
    pool,
    start: (module, run = {}) => {
      const stop = new AbortController()
      const process = startCapsuleProcess(
        { ...components, sandbox, pool: run.isCold === true ? cold : pool },
        {
          name: 'bench',
          module,
          limits: { ...DEFAULT_CAPSULE_LIMITS, ...run.limits },
          stdin: silence,
          stdout: { write: (bytes) => run.onOutput?.(bytes) },
          stderr: { write: () => undefined },
          ...(run.channel === undefined ? {} : { channel: run.channel }),
          signal: stop.signal
        }
      )
      return {
        process,
        finished: process.finished,
        [Symbol.asyncDispose]: async () => {
          stop.abort()
          await process.finished
        }
      }
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]()
  }
}

/** Says `ready` and waits for input. */
export const WAITS: Uint8Array = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00ready\\0a  ready\\0a")',
  body: `(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))`
})

/** Computes for ever. */
export const SPINS: Uint8Array = assembleProgram({ body: '(loop $next (br $next))' })

/** Resolves at the first output of a capsule, with the milliseconds since `fromMs` by `performance.now()`. */
export function firstOutput(
  fromMs: number,
  start: (onOutput: (bytes: Uint8Array) => void) => RigCapsule
): { capsule: RigCapsule; afterMs: Promise<number> } {
  const said = Promise.withResolvers<number>()
  const capsule = start(() => said.resolve(performance.now() - fromMs))
  void capsule.finished.then((outcome) => {
    said.reject(
      new Error(`expected the capsule to say something, it ended first: ${JSON.stringify(outcome)}`)
    )
  })
  return { capsule, afterMs: said.promise }
}

const silence: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) })
}
