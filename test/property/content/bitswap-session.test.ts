import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import {
  createSessionFixture,
  rawCid,
  settle,
  text,
  type FakePeer
} from '../../unit/content/bitswap/session-fixture.ts'

const behaviour = fc.constantFrom<FakePeer['behaviour']>('honest', 'silent', 'flipping', 'resetting')
const stranger = fc.record({
  behaviour,
  delayMs: fc.constantFrom(1, 10, 100, 5_000),
  isReachable: fc.boolean(),
  isConnected: fc.boolean(),
  /** Which of the blocks it has. */
  holds: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 })
})

describe('a session with any peers', () => {
  it('gets every block that one reachable honest peer has, whatever the others do', async () => {
    const swarm = fc.record({
      strangers: fc.array(stranger, { maxLength: 5 }),
      honestAt: fc.nat(),
      honestDelayMs: fc.constantFrom(1, 50, 2_000)
    })
    await fc.assert(
      fc.asyncProperty(swarm, async ({ strangers, honestAt, honestDelayMs }) => {
        const f = createSessionFixture()
        const blocks = Array.from({ length: 12 }, (_, index) => text(`block ${index}`))
        const names: string[] = []
        for (const [index, { holds, isConnected, ...o }] of strangers.entries()) {
          const peer = f.addPeer(`stranger ${index}`, o)
          for (const [at, block] of blocks.entries()) if (holds[at] === true) f.give(peer, block)
          if (isConnected) f.connected.add(`stranger ${index}`)
          names.push(`stranger ${index}`)
        }
        const honest = f.addPeer('honest', { delayMs: honestDelayMs })
        for (const block of blocks) f.give(honest, block)
        names.splice(honestAt % (names.length + 1), 0, 'honest')
        f.providers = () => names
        const cids = blocks.map(rawCid)
        const session = f.createSession(cids[0] as CID)
        const fetched = cids.map((cid) => session.fetch(cid, { signal: new AbortController().signal }))
        assert.deepEqual(await settle(f, Promise.all(fetched)), blocks)
        const accused = f.misbehaviour.map(({ peerId }) => f.peers.get(peerId)?.behaviour)
        assert.ok(accused.every((accusedOf) => accusedOf === 'flipping'))
      }),
      { numRuns: 60 }
    )
  })
})
