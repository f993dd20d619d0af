import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { createCliHome } from '../../support/cli.ts'
import { needs } from '../../support/requirements.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createToldByNode, killRound, writeKeeper } from './node-kills.ts'

const KILLS = 3

describe('a node that is killed while capsules work', function () {
  this.timeout(180_000)

  it(`remembers every grant, revocation and file after each of ${KILLS} kills at random moments`, async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    const seed = randomInt(2 ** 31)
    await using home = await createCliHome()
    const keeper = await writeKeeper(home.folder)
    const told = createToldByNode()
    const round = { home, keeper, told, data: join(home.folder, 'node'), random: createSeededRandom(seed) }
    try {
      for (let kill = 0; kill < KILLS; kill++) await killRound(round)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
    assert.ok(told.next > KILLS, 'nothing was done before the kills')
    console.log(
      `      seed ${seed}: ${Object.keys(told.granted).length} grants, ${told.revoked.length} revoked`
    )
  })
})
