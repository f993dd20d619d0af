import assert from 'node:assert/strict'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { createKadPing } from '../../../dht/kad-ping.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const peers = Array.from({ length: 20 }, () =>
  peerIdFromString(peerIdFromDid(createKeyPair(systemRandom).did))
)
const [connected, known, ...strangers] = peers as [PeerId, PeerId, ...PeerId[]]

function bench(): {
  ping: (peer: PeerId) => Promise<number>
  pinged: PeerId[]
  clock: ReturnType<typeof createVirtualClock>
} {
  const clock = createVirtualClock()
  const pinged: PeerId[] = []
  const kadPing = createKadPing({
    clock,
    isInTable: (peerId) => peerId === known.toString(),
    connectionManager: {
      getConnections: (peer?: PeerId) =>
        (peer?.equals(connected) === true ? [{ status: 'open' }] : []) as never
    },
    ping: {
      ping: async (peer) => {
        pinged.push(peer as PeerId)
        return await Promise.resolve(7)
      }
    }
  })
  return { clock, pinged, ping: async (peer) => await kadPing.ping(peer) }
}

describe('ping of the routing table', () => {
  it('asks nothing of who is connected, and at once who would have to leave the table', async () => {
    const { ping, pinged } = bench()
    assert.equal(await ping(connected), 0)
    assert.deepEqual(pinged, [])
    assert.equal(await ping(known), 7)
    assert.deepEqual(pinged, [known])
  })

  it('dials the strangers of an answer one after the other, and leaves out those that would wait long', async () => {
    const { ping, pinged, clock } = bench()
    const pings = Promise.allSettled(strangers.map(ping))
    await clock.settle()
    assert.deepEqual(pinged, [])
    await clock.advance(600)
    assert.equal(pinged.length, 1)
    await clock.advance(60_000)
    const results = await pings
    const left = results.filter(({ status }) => status === 'rejected').length
    assert.equal(pinged.length, strangers.length - left)
    assert.ok(pinged.length > 1 && left > 0)
    assert.equal(clock.pendingCount(), 0)
  })
})
