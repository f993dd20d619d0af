import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import type { LongTest } from '../../scripts/test-long.ts'
import { fatesAfter, planChaos, type ChaosEvent, type ChaosInit } from '../net/survive/chaos.ts'
import { replicated } from '../net/survive/replicated.ts'
import { startSurvival, type Survival } from '../net/survive/rig.ts'
import type { Ledger } from '../net/survive/survive-run.ts'
import { createCliHome } from '../support/cli.ts'
import { isMet } from '../support/requirements.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createLastingFolder } from '../support/temporary-folder.ts'

interface State {
  readonly slices: number
  /** The members' disks outlive the process: when it ends, all of them are killed at once. */
  readonly folder: string | undefined
  readonly ledger: Ledger
}

const SLICE_MS = 60_000
const SLICES = 10
/** After every so many slices all has to be whole. */
const REST_EVERY = 5
const ADD_EVERY_MS = 3_000
const BYTES_MAX = 2_000_000

const CHAOS: ChaosInit = {
  members: 12,
  durationMs: SLICES * SLICE_MS,
  upMs: 150_000,
  downMs: 45_000,
  downMax: 4,
  cutRatio: 0.2,
  // a copy is made again within five minutes of a death; of five, three may be gone meanwhile
  loseEveryMs: 90_000
}

/** Who is down stays down at a rest: others have to make the copies it held. */
const KEEPING = replicated({
  copies: 5,
  spaceBytes: 128 * 1024 * 1024,
  revivesAll: false,
  settleMs: 8 * 60_000
})

interface Live extends AsyncDisposable {
  readonly survival: Survival
}

/** From one slice of a process to the next they live on. */
let live: Live | undefined

async function start(state: State & { folder: string }, seed: number): Promise<Live> {
  await using stack = new AsyncDisposableStack()
  const home = stack.use(await createCliHome())
  stack.defer(async () => assert.deepEqual(await home.running(), [], 'nobody is left'))
  const survival = stack.use(
    await startSurvival({
      ...{ home, seed, folder: state.folder, ledger: state.ledger, keeping: KEEPING },
      fates: fatesAfter(eventsBetween(seed, 0, state.slices), CHAOS.members)
    })
  )
  const running = stack.move()
  return { survival, [Symbol.asyncDispose]: async () => await running.disposeAsync() }
}

function eventsBetween(seed: number, from: number, to: number): ChaosEvent[] {
  const all = planChaos(createSeededRandom(seed), CHAOS)
  return all.filter(({ atMs }) => atMs >= from * SLICE_MS && atMs < to * SLICE_MS)
}

/** Twelve nodes on slow, lossy links for ten minutes, killed, cut off and lost at random: nothing acknowledged is lost. */
export const longTest: LongTest<State> = {
  begin: () => ({ slices: 0, folder: undefined, ledger: { acknowledged: [], next: 0 } }),
  slice: async (state, seed) => {
    for (const what of ['namespaces', 'nft', 'rates'] as const)
      assert.ok(await isMet(what), `expected ${what}`)
    const folder = state.folder ?? (await createLastingFolder('elastos-survive'))
    live ??= await start({ ...state, folder }, seed)
    const slices = state.slices + 1
    const [fromMs, toMs] = [state.slices * SLICE_MS, slices * SLICE_MS]
    const events = eventsBetween(seed, state.slices, slices)
    const notes = [
      await live.survival.pass({ events, fromMs, toMs, addEveryMs: ADD_EVERY_MS, bytesMax: BYTES_MAX })
    ]
    if (slices % REST_EVERY === 0) notes.push(await live.survival.rest())
    const isDone = slices === SLICES
    if (isDone) {
      await end()
      await rm(folder, { recursive: true, force: true })
    }
    return { state: { slices, folder, ledger: state.ledger }, isDone, note: notes.join('; ') }
  },
  end
}

async function end(): Promise<void> {
  const ending = live
  live = undefined
  await ending?.[Symbol.asyncDispose]()
}
