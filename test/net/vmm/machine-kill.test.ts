import { join } from 'node:path'
import { randomInt } from 'node:crypto'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { killMachines } from './machine-kills.ts'

describe('machines whose owner is killed', () => {
  it('leave nothing behind at whatever moment that is; all of it: npm run test:long -- machine-kill', async function () {
    this.timeout(120_000)
    const { guest, shell } = await provideGuest(this)
    await using folder = await createTemporaryFolder()
    const image = join(folder.path, 'image')
    await writeImage(image, shell)
    const random = createSeededRandom(randomInt(2 ** 31))
    for (let kill = 0; kill < 2; kill += 1) await killMachines({ guest, image, random })
  })
})
