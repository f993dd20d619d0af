import { join } from 'node:path'
import type { LongTest } from '../../scripts/test-long.ts'
import { killMachines, makeTemplate } from '../net/vmm/machine-kills.ts'
import { buildTestGuest, writeImage } from '../support/guest.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createTemporaryFolder } from '../support/temporary-folder.ts'

const KILLS = 400
const KILLS_A_SLICE = 10
/** Longer than any machine of it may run: what is still there then was left behind. */
const SLICE_MS_MAX = 120_000

interface State {
  readonly kills: number
}

/** 400 kills of a process that starts and ends machines: no monitor, no part of a jail and no file is left of any. */
export const longTest: LongTest<State> = {
  begin: () => ({ kills: 0 }),
  slice: async (state, seed) => {
    const { guest, shell } = await buildTestGuest()
    await using folder = await createTemporaryFolder()
    const image = join(folder.path, 'image')
    await writeImage(image, shell)
    const random = createSeededRandom(seed + state.kills)
    const stopping = new AbortController()
    const late = setTimeout(() => stopping.abort(), SLICE_MS_MAX)
    const round = { guest, image, random, signal: stopping.signal }
    const pool = join(folder.path, 'pool')
    await makeTemplate({ guest, image, pool })
    for (let count = 0; count < KILLS_A_SLICE; count += 1) {
      // From their kernel, from a template, and while that is made.
      const pools = [undefined, pool, join(folder.path, `pool ${count}`)]
      const from = pools[count % pools.length]
      await killMachines({ ...round, ...(from === undefined ? {} : { pool: from }) })
    }
    clearTimeout(late)
    const kills = state.kills + KILLS_A_SLICE
    return { state: { kills }, isDone: kills >= KILLS, note: `${kills} kills` }
  }
}
