import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { createToldByNode, killRound, writeKeeper, type ToldByNode } from '../net/node/node-kills.ts'
import { createCliHome } from '../support/cli.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createLastingFolder } from '../support/temporary-folder.ts'

const KILLS = 200
const KILLS_A_SLICE = 5

interface State {
  readonly kills: number
  /** The data folder lives as long as the run, so that every kill falls on what the kills before it left. */
  readonly folder: string | undefined
  readonly told: ToldByNode
}

/** 200 kills of a whole node under load: no grant doubled, no revocation lost, no store that will not open. */
export const longTest: LongTest<State> = {
  begin: () => ({ kills: 0, folder: undefined, told: createToldByNode() }),
  slice: async (state, seed) => {
    await using home = await createCliHome()
    const folder = state.folder ?? (await createLastingFolder('elastos-node-kills'))
    const keeper = await writeKeeper(folder)
    const { told } = state
    // A slice that was interrupted is not remembered, but its keepers have their grants: no number is given out twice.
    told.next = Math.max(told.next, Date.now())
    const random = createSeededRandom(seed + state.kills)
    const round = { home, keeper, told, random, data: join(folder, 'node') }
    for (let kill = 0; kill < KILLS_A_SLICE; kill++) await killRound(round)
    const kills = state.kills + KILLS_A_SLICE
    const isDone = kills >= KILLS
    if (isDone) await rm(folder, { recursive: true, force: true })
    const note = `${kills} kills, ${Object.keys(told.granted).length} grants, ${told.revoked.length} revocations`
    return { state: { kills, folder, told }, isDone, note }
  }
}
