import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import {
  contentKillRound,
  createToldOfContent,
  startSource,
  type ToldOfContent
} from '../net/node/content-node-kills.ts'
import { createCliHome } from '../support/cli.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createLastingFolder } from '../support/temporary-folder.ts'

const KILLS = 200
const KILLS_A_SLICE = 5
/** What is written where a slice found that something does not hold. */
const FAILED = 'failed'

interface State {
  /** The data folder lives as long as the run, so that every kill falls on what the kills before it left. */
  readonly folder: string | undefined
  readonly told: ToldOfContent
}

/** 200 kills of a node during adds, fetches and collections: it starts, nothing is wrong, no pinned block is lost. */
export const longTest: LongTest<State> = {
  begin: () => ({ folder: undefined, told: createToldOfContent() }),
  slice: async (state, seed) => {
    const folder = state.folder ?? (await createLastingFolder('elastos-content-node-kills'))
    await using home = await createCliHome()
    await using source = await startSource(home, join(home.folder, 'source'))
    const { told } = state
    // A slice that was interrupted is not remembered, but the node has gone on: what it was told to drop is not known.
    const mark = join(folder, 'under-way')
    const left = await readFile(mark, 'utf8').catch(() => undefined)
    if (left === FAILED) throw new Error(`expected a new run (--reset): the one over ${folder} has failed`)
    if (left !== undefined) told.kept = []
    await writeFile(mark, 'under way')
    const random = createSeededRandom(seed + told.kills)
    const round = { home, source, told, random, data: join(folder, 'node') }
    try {
      for (let kill = 0; kill < KILLS_A_SLICE; kill++) await contentKillRound(round)
    } catch (cause) {
      await writeFile(mark, FAILED)
      throw new Error(`over ${folder}`, { cause })
    }
    await rm(mark)
    // The last kill is looked at by the one after it.
    const isDone = told.kills > KILLS
    if (isDone) assert.ok(told.fetches > 0 && told.collections > 0, JSON.stringify(told))
    if (isDone) await rm(folder, { recursive: true, force: true })
    const { kills, promises, fetches, collections } = told
    const note = `${kills} kills, ${promises} promises, ${fetches} of them fetched, ${collections} collections`
    return { state: { folder, told }, isDone, note }
  }
}
