import assert from 'node:assert/strict'
import type { PeerId } from '@libp2p/interface'
import type { RPC } from '@libp2p/gossipsub/message'
import { peerIdFromString } from '@libp2p/peer-id'
import { createKeyPair, peerIdFromDid } from '#did'
import { FORWARD_AUTHORS_HOLD_MS_MAX, FORWARD_HOLD_MS_MAX } from '../../../../dht/constants.ts'
import { forwardLater } from '../../../../dht/gossip/forward.ts'
import type { GossipInternals } from '../../../../dht/gossip/internals.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

interface World {
  readonly clock: VirtualClock
  readonly gossip: GossipInternals
  readonly outbox: ReturnType<typeof forwardLater>
  /** To whom something was written. */
  readonly sent: string[]
}

const random = createSeededRandom(7)
const [author, neighbour, other] = [0, 1, 2].map(() =>
  peerIdFromString(peerIdFromDid(createKeyPair(random).did))
) as [PeerId, PeerId, PeerId]
const message: RPC.Message = {
  ...{ from: author.toMultihash().bytes, seqno: new Uint8Array(8), topic: '/elastos/test' },
  data: Buffer.from('said')
}

function createWorld(seed: number): World {
  const clock = createVirtualClock()
  const sent: string[] = []
  const mesh = [author, neighbour, other]
  const gossip = {
    peers: new Map(mesh.map((peer) => [peer.toString(), peer])),
    streamsOutbound: new Map(
      mesh.map((peer) => [peer.toString(), { pushPrefixed: () => sent.push(peer.toString()) }])
    ),
    ...{ idontwants: new Map(), score: { deliverMessage: () => undefined }, log: () => undefined },
    selectPeersToForward: (_: string, source: string) =>
      new Set(mesh.map(String).filter((peerId) => peerId !== source && peerId !== author.toString()))
  } as unknown as GossipInternals
  const outbox = forwardLater(gossip, { clock, random: createSeededRandom(seed) })
  return { clock, gossip, outbox, sent }
}

describe('a message that is forwarded', () => {
  it('goes on at once when it came by others', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { clock, gossip, sent } = createWorld(seed)
      gossip.forwardMessage('id', message, neighbour.toString())
      await clock.advance(FORWARD_HOLD_MS_MAX)
      assert.deepEqual(sent, [other.toString()])
    }
  })

  it('waits for those who forward it first when it came from its author, and then goes to whoever has not sent it', async () => {
    let waitedCount = 0
    for (let seed = 1; seed <= 8; seed++) {
      const { clock, gossip, outbox, sent } = createWorld(seed)
      gossip.forwardMessage('id', message, author.toString())
      await clock.advance(FORWARD_HOLD_MS_MAX)
      if (sent.length > 0) continue
      waitedCount++
      outbox.drop(neighbour.toString(), 'id')
      await clock.advance(FORWARD_AUTHORS_HOLD_MS_MAX)
      assert.deepEqual(sent, [other.toString()])
    }
    assert.ok(waitedCount >= 4)
  })
})
