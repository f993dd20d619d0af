import assert from 'node:assert/strict'
import { peerIdFromString } from '@libp2p/peer-id'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { CONTENT_KEY_BYTES_MAX, PEER_ID_BYTES_MAX } from '../../../../dht/query/constants.ts'
import { KAD_MESSAGE } from '../../../../dht/query/index.ts'
import type { AnswerMessage } from '../../../../dht/query/inbound.ts'
import { createPeerBook } from '../../../../dht/query/peer-book.ts'
import type { BookPeer } from '../../../../dht/query/peer-book.ts'
import { createServer } from '../../../../dht/query/server.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const newId = (): Uint8Array =>
  peerIdFromString(peerIdFromDid(createKeyPair(systemRandom).did)).toMultihash().bytes

interface Served {
  readonly answer: AnswerMessage
  readonly asking: BookPeer
  /** The ids of all peers that came up, in bytes. */
  readonly noted: number[]
  /** How many announcements were kept. */
  readonly kept: () => number
}

function serve(): Served {
  const book = createPeerBook()
  const [own, asking] = [book.of(newId()), book.of(newId())]
  const noted: number[] = []
  let kept = 0
  const answer = createServer({
    own,
    ownAddresses: () => [],
    book: {
      ...book,
      of: (id) => {
        noted.push(id.length)
        return book.of(id)
      }
    },
    table: { nearest: () => [] },
    addresses: { wirePeers: () => [], [Symbol.dispose]: () => undefined },
    providers: {
      addProvider: () => {
        kept += 1
        return Promise.resolve()
      },
      getProviders: () => Promise.resolve([])
    },
    peerStore: { merge: () => Promise.resolve() },
    heldRecord: () => Promise.resolve(undefined),
    keepRecord: () => Promise.resolve(),
    clock: createVirtualClock()
  })
  return { answer, asking, noted, kept: () => kept }
}

/** A multihash that has all of a content in itself. */
const inlined = (length: number): Uint8Array => Uint8Array.of(0, length, ...new Uint8Array(length))

describe('answers of the DHT', () => {
  it('remember no more of who is asked for than the id of a peer has', async () => {
    const { answer, asking, noted } = serve()
    for (const key of [newId(), new Uint8Array(PEER_ID_BYTES_MAX + 1), new Uint8Array(60_000)]) {
      const told = await answer(asking, { type: KAD_MESSAGE.findNode, key })
      assert.deepEqual(told?.closer, [])
    }
    assert.deepEqual(noted, [38])
  })

  it('keep no announcement of a content with a longer name than any hash gives', async () => {
    const { answer, asking, kept } = serve()
    const providers = [{ id: asking.id, multiaddrs: [Uint8Array.of(4, 127, 0, 0, 1, 6, 0, 1)] }]
    const announce = async (key: Uint8Array): Promise<unknown> =>
      await answer(asking, { type: KAD_MESSAGE.addProvider, key, providers })
    await announce(inlined(CONTENT_KEY_BYTES_MAX - 2))
    assert.equal(kept(), 1)
    await assert.rejects(announce(inlined(CONTENT_KEY_BYTES_MAX - 1)), { code: 'ERR_REQUEST_FAILED' })
    assert.equal(kept(), 1)
  })
})
