import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { createToldByStore, killStore, type ToldByStore } from '../net/content/store-kills.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createLastingFolder } from '../support/temporary-folder.ts'

const KILLS = 200
const KILLS_A_SLICE = 10

interface State {
  /** The store lives as long as the run, so that every kill falls on what the kills before it left. */
  readonly folder: string | undefined
  readonly told: ToldByStore
}

/** 200 kills of a store during adds, fetches and collections: it opens, nothing is wrong, no pinned block is lost. */
export const longTest: LongTest<State> = {
  begin: () => ({ folder: undefined, told: createToldByStore() }),
  slice: async (state, seed) => {
    const folder = state.folder ?? (await createLastingFolder('elastos-store-kills'))
    const { told } = state
    // A slice that was interrupted is not remembered, but the store has gone on: what it was told to drop is not known.
    const counter = join(folder, 'kills')
    const counted = await readFile(counter, 'utf8').catch(() => '0')
    if (Number(counted) !== told.kills) told.kept = []
    const random = createSeededRandom(seed + told.kills)
    for (let kill = 0; kill < KILLS_A_SLICE; kill++) {
      await writeFile(counter, 'under way')
      await killStore(folder, told, random)
      await writeFile(counter, String(told.kills))
    }
    // The last kill is looked at by the one after it.
    const isDone = told.kills > KILLS
    if (isDone) await rm(folder, { recursive: true, force: true })
    const note = `${told.kills} kills, ${told.promises} promises`
    return { state: { folder, told }, isDone, note }
  }
}
