import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { createCliHome } from '../../support/cli.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { contentKillRound, createToldOfContent, startSource } from './content-node-kills.ts'

/** A sample; `npm run test:long -- content-node-kill` is the whole. */
const KILLS = 3

describe('a node that is killed while it adds, fetches and collects', function () {
  this.timeout(180_000)

  it(`holds every pin whole, and nothing wrong, after each of ${KILLS} kills at random moments`, async () => {
    const seed = randomInt(2 ** 31)
    await using home = await createCliHome()
    await using source = await startSource(home, join(home.folder, 'source'))
    const told = createToldOfContent()
    const random = createSeededRandom(seed)
    const round = { home, source, told, random, data: join(home.folder, 'node') }
    try {
      // What the last kill left is looked at by the round after it.
      for (let kill = 0; kill <= KILLS; kill++) await contentKillRound(round)
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
    assert.ok(told.promises > 0, 'nothing was kept before the kills')
    assert.ok(told.collections > 0, 'nothing was collected before the kills')
    console.log(
      `      seed ${seed}: ${told.promises} pins, ${told.fetches} fetched, ${told.collections} collections`
    )
  })
})
