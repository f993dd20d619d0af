import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createLastingFolder } from '../support/temporary-folder.ts'
import { checkStore, createTold, killOnce, type Told } from '../net/capsule-host/authority-kills.ts'

const KILLS = 200
const KILLS_A_SLICE = 20

interface State {
  readonly kills: number
  /** The store lives as long as the run, so that every kill falls on what the kills before it left. */
  readonly folder: string | undefined
  readonly told: Told
}

/** 200 kills at random moments: no grant doubled, no revocation lost, no store that will not open. */
export const longTest: LongTest<State> = {
  begin: () => ({ kills: 0, folder: undefined, told: createTold() }),
  slice: async (state, seed) => {
    const folder = state.folder ?? (await createLastingFolder('elastos-kills'))
    const random = createSeededRandom(seed + state.kills)
    const { told } = state
    for (let kill = 0; kill < KILLS_A_SLICE; kill++) {
      await killOnce(join(folder, 'authority'), told, random)
      await checkStore(join(folder, 'authority'), told)
    }
    const kills = state.kills + KILLS_A_SLICE
    const isDone = kills >= KILLS
    if (isDone) await rm(folder, { recursive: true, force: true })
    const note = `${kills} kills, ${told.lines} answers, ${told.revoked.length} revocations`
    return { state: { kills, folder, told }, isDone, note }
  }
}
