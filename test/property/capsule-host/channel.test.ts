import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { checkFlood, floods } from '../../support/channel-fuzz.ts'
import { checkProvider, providerWords } from '../../support/provider-fuzz.ts'

describe('a flood on the runtime channel', () => {
  it('does nothing that was not granted, costs nobody else, and is answered line by line', async function () {
    this.timeout(60_000)
    const seed = randomInt(2 ** 31)
    console.log(`      seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(floods, async (flood) => await checkFlood(flood)),
      { seed, numRuns: 200 }
    )
  })
})

describe('a hostile provider', () => {
  it('gives its callers what the contract says or a code, in time, and does nothing they may not', async function () {
    this.timeout(60_000)
    const seed = randomInt(2 ** 31)
    console.log(`      seed ${seed}`)
    const property = fc.asyncProperty(providerWords, async (words) => await checkProvider(words))
    await fc.assert(property, { seed, numRuns: 150 })
  })
})
