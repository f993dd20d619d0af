import type { CliHome } from '../../support/cli.ts'
import { startLossyNetwork, type LossyNetwork } from '../../support/lossy-network.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import type { Fate } from './chaos.ts'
import { NODE_PORT, RECORD_PORT, startFleet } from './fleet.ts'
import {
  proveWhole,
  runStretch,
  type Keeping,
  type Ledger,
  type Stretch,
  type SurviveRun
} from './survive-run.ts'

/** What {@link startSurvival} starts. */
export interface SurvivalInit {
  readonly home: CliHome
  readonly seed: number
  /** Where the members keep their data; it outlives the run. */
  readonly folder: string
  /** What became of the members before. */
  readonly fates: readonly Fate[]
  readonly keeping: Keeping
  /** What they acknowledged before; added to. */
  readonly ledger: Ledger
}

/** A fleet on a network of its own. Disposing it kills everybody at once. */
export interface Survival extends AsyncDisposable {
  /** What happened when. */
  readonly journal: readonly string[]
  /** Lets a stretch of its life pass. What happened, in a line. */
  pass(stretch: Stretch): Promise<string>
  /** Lets it come to rest, and has a stranger fetch all that was acknowledged. What came of it, in a line. */
  rest(): Promise<string>
}

/** Packets lost on each link each way, of a thousand: about two in a hundred from one end to the other. */
const LOSS_PER_MILLE = 10
const RATE_MBIT = 20
/** One way: hosts lie on a line, so that there are near ones and far ones. */
const DELAY_MS_MIN = 3
const DELAY_MS_MAX = 60

/** Lays out a network and starts a fleet on it. */
export async function startSurvival(init: SurvivalInit): Promise<Survival> {
  const { seed, home, keeping, ledger, folder } = init
  await using stack = new AsyncDisposableStack()
  const network = stack.use(await startNetwork(init))
  const fleet = stack.use(
    await startFleet({
      ...{ home, network, folder, fates: init.fates },
      onStarted: async (member) => await keeping.join(member)
    })
  )
  const random = createSeededRandom(seed + ledger.next)
  const run: SurviveRun = { seed, fleet, keeping, ledger, random, folder: home.folder, journal: [] }
  const running = stack.move()
  return {
    journal: run.journal,
    pass: async (stretch) =>
      await explaining(run, async () => {
        await runStretch(run, stretch)
        const blows = stretch.events.filter(({ what }) => what !== 'revive').length
        const objects = `${ledger.acknowledged.length} of ${ledger.next} objects acknowledged`
        return `${blows} blows, ${objects}, ${await network.lost()} packets lost`
      }),
    rest: async () =>
      await explaining(run, async () => `${await keeping.settle(fleet, ledger)}, ${await proveWhole(run)}`),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

async function startNetwork({ seed, fates }: SurvivalInit): Promise<LossyNetwork> {
  const places = createSeededRandom(seed)
  // one more for the stranger
  const where = Array.from({ length: fates.length + 1 }, () => places.unit())
  return await startLossyNetwork({
    hosts: where.length,
    ports: [NODE_PORT, RECORD_PORT],
    delayMs: (from, to) => {
      const distance = Math.abs((where[from] ?? 0) - (where[to] ?? 0))
      return Math.round(DELAY_MS_MIN + distance * (DELAY_MS_MAX - DELAY_MS_MIN))
    },
    lossPerMille: LOSS_PER_MILLE,
    rateMbit: RATE_MBIT
  })
}

/** Adds to a failure what happened before it. */
async function explaining<T>({ seed, journal, fleet }: SurviveRun, task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (cause) {
    const logs = fleet.members.map((member) => `member ${member.number}:\n${member.log()}`)
    throw new Error(`seed ${seed}\n${[...journal, ...logs].join('\n')}`, { cause })
  }
}
