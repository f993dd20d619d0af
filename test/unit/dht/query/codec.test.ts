import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeMessage, encodeMessage, encodePeer } from '../../../../dht/query/codec.ts'
import { createFrameReader } from '../../../../dht/query/frames.ts'
import { KAD_MESSAGE } from '../../../../dht/query/index.ts'
import type { KadMessage, WirePeer } from '../../../../dht/query/index.ts'
import { createPeerBook } from '../../../../dht/query/peer-book.ts'

const bytes = (lengthMax: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: 1, maxLength: lengthMax })
const peer = fc.record({ id: bytes(64), multiaddrs: fc.array(bytes(300), { maxLength: 16 }) })
const message: fc.Arbitrary<KadMessage> = fc.record(
  {
    type: fc.constantFrom(...Object.values(KAD_MESSAGE)),
    key: bytes(200),
    record: bytes(500),
    closer: fc.array(peer, { maxLength: 20 }),
    providers: fc.array(peer, { maxLength: 20 })
  },
  { requiredKeys: ['type', 'closer', 'providers'] }
)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** A message in a shape that can be compared, whichever kind of array its bytes are in. */
function plain({ type, key, record, closer = [], providers = [] }: KadMessage): unknown {
  const peers = (list: readonly WirePeer[]): unknown =>
    list.map(({ id, multiaddrs }) => [hex(id), ...multiaddrs.map(hex)])
  return {
    type,
    key: key && hex(key),
    record: record && hex(record),
    closer: peers(closer),
    providers: peers(providers)
  }
}

const FIRST: WirePeer = { id: Uint8Array.of(0, 1, 1), multiaddrs: [Uint8Array.of(4, 127, 0, 0, 1)] }

/** Two peers, each with one address, the other, or both. */
const NAMED = [1, 2].flatMap((last) => {
  const id = Uint8Array.of(0, 1, last)
  const [near, far] = [Uint8Array.of(4, 127, 0, 0, last), Uint8Array.of(4, 10, 0, 0, last)]
  return [[near], [far], [near, far]].map((multiaddrs) => ({ id, multiaddrs }))
})

/** A message without the length before it. */
function body(encoded: Uint8Array): Uint8Array {
  const [frame, ...others] = createFrameReader(encoded.length).push(encoded)
  assert.ok(frame !== undefined && others.length === 0)
  return frame
}

describe('messages of the DHT', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(message, (written) => {
        assert.deepEqual(plain(decodeMessage(body(encodeMessage(written)))), plain(written))
      })
    )
  })

  it('are written the same whether a peer was encoded before or not', () => {
    const closer = { id: Uint8Array.of(0, 1, 2), multiaddrs: [Uint8Array.of(4, 127, 0, 0, 1)] }
    const once = encodeMessage({ type: KAD_MESSAGE.findNode, closer: [closer] })
    const again = encodeMessage({
      type: KAD_MESSAGE.findNode,
      closer: [{ ...closer, encoded: encodePeer(closer) }]
    })
    assert.deepEqual(once, again)
  })

  it('are those of kad-dht, byte for byte, on the wire', () => {
    // what @libp2p/kad-dht 16 writes for GET_PROVIDERS of the key 12 20 ff with one closer peer 00 01 at 04 7f
    const stock = Buffer.from('0803' + '1203' + '1220ff' + '4208' + '0a020001' + '1202047f', 'hex')
    const closer = [{ id: Uint8Array.of(0, 1), multiaddrs: [Uint8Array.of(4, 0x7f)] }]
    const key = Uint8Array.of(0x12, 0x20, 0xff)
    assert.deepEqual(Buffer.from(body(encodeMessage({ type: KAD_MESSAGE.getProviders, key, closer }))), stock)
  })

  it('that are none are refused with a code, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        try {
          decodeMessage(garbage)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ERR_REQUEST_FAILED')
        }
      })
    )
    assert.throws(() => decodeMessage(Uint8Array.of(0x12, 0x7f, 1)), { code: 'ERR_REQUEST_FAILED' })
    assert.throws(() => decodeMessage(Uint8Array.of(0x08, 0x09)), { code: 'ERR_REQUEST_FAILED' })
  })

  it('are read the same by who knows the peers in them', () => {
    const book = createPeerBook()
    const peers = fc.array(fc.constantFrom(...NAMED), { maxLength: 8 })
    fc.assert(
      fc.property(fc.array(peers, { minLength: 1, maxLength: 4 }), (answers) => {
        for (const closer of answers) {
          const frame = body(encodeMessage({ type: KAD_MESSAGE.findNode, closer }))
          const plainly = decodeMessage(frame).closer ?? []
          const knowing = decodeMessage(frame, book).closer ?? []
          assert.deepEqual(
            knowing.map(({ id }) => hex(id)),
            plainly.map(({ id }) => hex(id))
          )
          for (const [place, { multiaddrs }] of plainly.entries()) {
            const known = book
              .named(knowing[place] ?? { id: Uint8Array.of(), multiaddrs: [] })
              .multiaddrs.map(hex)
            for (const address of multiaddrs) assert.ok(known.includes(hex(address)))
          }
        }
      })
    )
    const frame = body(encodeMessage({ type: KAD_MESSAGE.findNode, closer: [FIRST] }))
    for (let time = 0; time < 2; time++)
      for (const named of decodeMessage(frame).closer ?? []) book.named(named)
    assert.equal(decodeMessage(frame, book).closer?.[0], book.of(FIRST.id))
  })

  it('name no more peers and addresses than there is room for', () => {
    const crowd = Array.from({ length: 200 }, (_, index) => ({
      id: Uint8Array.of(0, 1, index),
      multiaddrs: Array.from({ length: 100 }, () => Uint8Array.of(4, 1, 2, 3, 4))
    }))
    const { closer = [] } = decodeMessage(body(encodeMessage({ type: KAD_MESSAGE.findNode, closer: crowd })))
    assert.equal(closer.length, 64)
    assert.ok(closer.every(({ multiaddrs }) => multiaddrs.length === 16))
  })

  it('are found in a stream however it is cut, and one too long ends it', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 97 }),
        (all, step) => {
          const stream = Buffer.concat(all.map(encodeMessage))
          const reader = createFrameReader(512 * 1024)
          const frames: Uint8Array[] = []
          for (let at = 0; at < stream.length; at += step)
            frames.push(...reader.push(stream.subarray(at, at + step)))
          assert.deepEqual(
            frames.map((frame) => plain(decodeMessage(frame))),
            all.map(plain)
          )
        }
      )
    )
    const tooLong = { code: 'ERR_MESSAGE_TOO_LARGE' }
    assert.throws(() => createFrameReader(100).push(Uint8Array.of(101)), tooLong)
    assert.throws(() => createFrameReader(2 ** 40).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)), tooLong)
  })

  it('that come in crumbs cost no more memory than a few times their size', () => {
    const bytesMax = 32 * 1024
    const key = new Uint8Array(bytesMax - 100).fill(1)
    const stream = encodeMessage({ type: KAD_MESSAGE.getProviders, key })
    const reader = createFrameReader(bytesMax)
    const made = countMemory(() => {
      const frames = Array.from(stream).flatMap((byte) => reader.push(Uint8Array.of(byte)))
      assert.deepEqual(frames.map(hex), [hex(body(stream))])
    })
    assert.ok(made < 8 * stream.length, `${made} bytes were made`)
  })
})

/** Bytes of the buffers that are made meanwhile. */
function countMemory(task: () => void): number {
  const allocUnsafe = Buffer.allocUnsafe.bind(Buffer)
  const concat = Buffer.concat.bind(Buffer)
  let made = 0
  Buffer.allocUnsafe = (size) => {
    made += size
    return allocUnsafe(size)
  }
  Buffer.concat = (list, length) => {
    made += length ?? list.reduce((sum, bytes) => sum + bytes.length, 0)
    return concat(list, length)
  }
  try {
    task()
  } finally {
    Object.assign(Buffer, { allocUnsafe, concat })
  }
  return made
}
