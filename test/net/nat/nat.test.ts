import assert from 'node:assert/strict'
import { createCliHome, type CliHome } from '../../support/cli.ts'
import { needs } from '../../support/requirements.ts'
import { until } from '../dht/hosts.ts'
import { proveFetch, proveNatPair, startNatPair, startTalk, timed } from './nat-pair.ts'

/** A sample of the pairs; `npm run test:long -- nat` proves them all. */
describe('behind NATs', function () {
  this.timeout(120_000)
  let home: CliHome
  before(async function () {
    await needs(this, 'namespaces', 'nft')
    home = await createCliHome()
  })
  after(async () => {
    await home?.[Symbol.asyncDispose]()
  })

  it('two nodes that let in only what they called reach each other directly', async () => {
    const { isDirect } = await proveNatPair(home, ['restricted', 'restricted'])
    assert.equal(isDirect, true)
  })

  it('two nodes that nobody can reach talk over a relay, and again once it was lost', async () => {
    await using pair = await startNatPair(home, ['symmetric', 'no inbound'])
    await until(async () => (await pair.a.run(['node', 'connect', pair.b.status.peerId])).code === 0)
    await proveFetch(home, pair, 'relayed')
    assert.equal(await pair.isDirect(), false)
    const lostMs = await timed(async () => {
      await pair.replaceSeed()
      await until(async () => (await pair.a.run(['node', 'connect', pair.b.status.peerId])).code === 0)
    })
    assert.ok(lostMs < 30_000, `the reservation was back after ${lostMs} ms`)
    await using talk = await startTalk(home, pair)
    await talk.exchange('hello')
  })
})
