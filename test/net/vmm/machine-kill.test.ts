import { join } from 'node:path'
import { randomInt } from 'node:crypto'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { killMachines, makeTemplate } from './machine-kills.ts'

describe('machines whose owner is killed', () => {
  it('leave nothing behind at whatever moment that is; all of it: npm run test:long -- machine-kill', async function () {
    this.timeout(120_000)
    const { guest, shell } = await provideGuest(this)
    await using folder = await createTemporaryFolder()
    const image = join(folder.path, 'image')
    await writeImage(image, shell)
    const seed = randomInt(2 ** 31)
    const round = { guest, image, random: createSeededRandom(seed) }
    const pool = join(folder.path, 'pool')
    try {
      await killMachines(round)
      // While its template is made, and while machines go on from it.
      await killMachines({ ...round, pool: join(folder.path, 'empty pool') })
      await makeTemplate({ guest, image, pool })
      await killMachines({ ...round, pool })
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
  })
})
