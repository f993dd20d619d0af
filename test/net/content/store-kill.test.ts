import { createSeededRandom } from '../../support/seeded-random.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createToldByStore, killStore } from './store-kills.ts'

/** A sample; `npm run test:long -- store-kill` is the whole. */
const KILLS = 3

describe('a block store in use', function () {
  this.timeout(90_000)

  it('opens each time its process is killed, with nothing wrong in it and every pin whole', async () => {
    await using folder = await createTemporaryFolder()
    const told = createToldByStore()
    const random = createSeededRandom(Date.now())
    for (let kill = 0; kill <= KILLS; kill++) await killStore(folder.path, told, random)
  })
})
