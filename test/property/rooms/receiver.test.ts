import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createKeyPair, type KeyPair } from '#did'
import { createReceiver, sealMessage, type MessageKind } from '#rooms'
import { createSeededRandom } from '../../support/seeded-random.ts'

const NOW_MS = 1_800_000_000_000
const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 }
const devices: readonly KeyPair[] = Array.from({ length: 3 }, (_, n) => createKeyPair(createSeededRandom(n)))

/** Ten messages of each of three devices, as they were signed. */
const originals: readonly Uint8Array[] = devices.flatMap((device, d) =>
  Array.from({ length: 10 }, (_, n) => {
    const kind: MessageKind = n % 5 === 4 ? 'presence' : 'text'
    const base = {
      room: 'lobby',
      author: device.did,
      sequence: 100 + n,
      sentAtMs: NOW_MS,
      nick: `d${d}`,
      kind
    }
    return sealMessage(device, kind === 'text' ? { ...base, text: `${d}/${n}` } : base)
  })
)
const idsOfOriginals = new Set(
  devices.flatMap((device) => Array.from({ length: 10 }, (_, n) => `${device.did}:${100 + n}`))
)

/** What somebody on the wire may do with what was sent: hold back, repeat, reorder, alter, cut, make up. */
const delivered = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...originals) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...originals), fc.nat(10_000), fc.integer({ min: 1, max: 255 }))
      .map(([bytes, at, mask]) =>
        bytes.map((byte, index) => (index === at % bytes.length ? byte ^ mask : byte))
      )
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...originals), fc.nat(10_000))
      .map(([bytes, length]) => bytes.slice(0, length % bytes.length))
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) }
)

describe('a receiver, whatever happens on the way', () => {
  it('accepts only what was signed, and each message once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(delivered, fc.constantFrom('p', 'q')), { maxLength: 80 }),
        (deliveries) => {
          const receiver = createReceiver({ room: 'lobby', clock })
          const accepted: string[] = []
          for (const [bytes, from] of deliveries) {
            try {
              const { device, sequence, author } = receiver.take(Uint8Array.from(bytes), from)
              assert.equal(author, device)
              accepted.push(`${device}:${sequence}`)
            } catch (error) {
              assert.match((error as { code?: string }).code ?? String(error), /^ERR_(MESSAGE|ROOM)_/)
            }
          }
          assert.equal(new Set(accepted).size, accepted.length, 'a message was accepted twice')
          assert.ok(
            accepted.every((id) => idsOfOriginals.has(id)),
            'a message nobody signed was accepted'
          )
        }
      ),
      { numRuns: 150 }
    )
  })

  it('accepts every message of a window, in any order', () => {
    const texts = originals.slice(0, 10)
    fc.assert(
      fc.property(fc.shuffledSubarray([...texts], { minLength: texts.length }), (order) => {
        const receiver = createReceiver({ room: 'lobby', clock })
        for (const bytes of order) receiver.take(bytes, 'p')
      }),
      { numRuns: 50 }
    )
  })
})
