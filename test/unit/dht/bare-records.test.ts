import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { createKeyPair, peerIdFromDid } from '#did'
import { createBareRecords } from '../../../dht/bare-records.ts'
import {
  PROVIDER_VALIDITY_MS,
  PROVIDERS_ANSWERED_MAX,
  PROVIDERS_PER_CONTENT_MAX
} from '../../../dht/constants.ts'
import { createPeerBook, type BookPeer } from '../../../dht/query/peer-book.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

describe('the records of a DHT without libp2p', () => {
  it('name as many providers as those of a node, half of them by who was first, and forget who runs out', async () => {
    const book = createPeerBook()
    const clock = createVirtualClock()
    const random = createSeededRandom(1)
    const peers = Array.from({ length: PROVIDERS_PER_CONTENT_MAX + 40 }, () =>
      book.ofText(peerIdFromDid(createKeyPair(random).did))
    )
    const records = createBareRecords(book.of(Uint8Array.of(0, 1, 1)), book, clock)
    const cid = CID.createV1(raw.code, await sha256.digest(Uint8Array.of(1)))
    const announce = async (peer: BookPeer): Promise<void> => {
      assert.ok(peer.libp2pId)
      await records.served.addProvider(cid, peer.libp2pId)
      await clock.advance(1_000)
    }
    for (const peer of peers) await announce(peer)
    const named = async (): Promise<string[]> => (await records.served.getProviders(cid)).map(String)
    const textOf = (some: readonly BookPeer[]): string[] => some.map(({ peerId }) => peerId)
    const half = PROVIDERS_ANSWERED_MAX / 2
    const newest = textOf(peers.slice(-half).toReversed())
    const first = textOf(peers.slice(0, half).toReversed())
    assert.deepEqual(await named(), [...newest, ...first])
    const [one] = peers
    assert.ok(one)
    await announce(one)
    assert.equal((await named())[0], one.peerId, 'who announces again is new, and was first')
    await clock.advance(PROVIDER_VALIDITY_MS - 1_000)
    assert.deepEqual(await named(), [])
  })
})
