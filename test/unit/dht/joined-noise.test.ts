import assert from 'node:assert/strict'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { MessageStream, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddrConnectionPair } from '@libp2p/utils'
import fc from 'fast-check'
import { systemClock } from '#contracts'
import { createFrameCutter, joinedNoise } from '../../../dht/joined-noise.ts'

/** How long what is sent is held, so that it comes in chunks that have nothing to do with what was sent. */
const HELD_MS = 5

/** Sends what is sent within some milliseconds as one chunk but for its last bytes, which follow as another. */
function cutElsewhere(connection: MultiaddrConnection): MultiaddrConnection {
  const send = connection.send.bind(connection)
  let held: Uint8Array[] = []
  connection.send = (data) => {
    if (held.length === 0) {
      void systemClock.sleep(HELD_MS).then(async () => {
        const bytes = Buffer.concat(held)
        held = []
        send(bytes.subarray(0, -7))
        await systemClock.sleep(HELD_MS)
        send(bytes.subarray(-7))
      })
    }
    held.push(data.subarray())
    return true
  }
  return connection
}

async function secure(): Promise<[MessageStream, MessageStream]> {
  const [dialling, listening] = multiaddrConnectionPair()
  const encrypters = await Promise.all(
    [0, 1].map(async () => {
      const privateKey = await generateKeyPair('Ed25519')
      const upgrader = { getStreamMuxers: () => new Map() } as unknown as Upgrader
      return joinedNoise()({
        privateKey,
        peerId: peerIdFromPrivateKey(privateKey),
        logger: defaultLogger(),
        upgrader
      })
    })
  )
  const [from, to] = encrypters
  assert.ok(from && to)
  const secured = [from.secureOutbound(cutElsewhere(dialling)), to.secureInbound(listening)]
  const [a, b] = await Promise.all([
    // what goes right behind the handshake comes with it
    secured[0]?.then(({ connection }) => {
      for (const size of SIZES) connection.send(Buffer.alloc(size, size))
      return connection
    }),
    secured[1]?.then(({ connection }) => connection)
  ])
  assert.ok(a && b)
  return [a, b]
}

const SIZES: readonly number[] = [100, 2_000, 70_000]
const LARGE_SIZES: readonly number[] = [500_000, 20_000, 300, 300_000]

describe('the frames of noise', () => {
  it('come out as they went in, wherever the chunks are cut', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { maxLength: 8 })
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 20 }), (sent, cuts) => {
        const wire = Buffer.concat(
          sent.flatMap((frame) => [Buffer.from([frame.length >> 8, frame.length & 255]), frame])
        )
        const cutter = createFrameCutter()
        const received: Uint8Array[] = []
        let at = 0
        for (const cut of [...cuts, wire.length]) {
          for (const frame of cutter.decode(wire.subarray(at, at + cut)))
            received.push(Uint8Array.from(frame))
          at += cut
        }
        assert.deepEqual(
          received,
          sent.map((frame) => Uint8Array.from(frame))
        )
      })
    )
  })

  it('are whole when they come with the end of the handshake, and part of one of them too', async () => {
    const [, receiving] = await secure()
    let received = 0
    receiving.addEventListener('message', ({ data }) => (received += data.byteLength))
    const expected = SIZES.reduce((sum, size) => sum + size, 0)
    for (let tries = 0; tries < 200 && received < expected; tries += 1) await systemClock.sleep(5)
    assert.equal(received, expected)
  })

  it('leaves out those with nothing in them', () => {
    assert.deepEqual(
      [...createFrameCutter().decode(Buffer.from('00000001aa0000', 'hex'))],
      [Buffer.from('aa', 'hex')]
    )
  })

  it('lie in memory that is used again, and what was in them stays as it was', async () => {
    const [sending, receiving] = await secure()
    const sent = [...SIZES, ...LARGE_SIZES].map((size) => Buffer.alloc(size, size))
    const received: Uint8Array[] = []
    receiving.addEventListener('message', ({ data }) => received.push(data.subarray()))
    const receivedBytes = (): number => received.reduce((sum, { length }) => sum + length, 0)
    for (const bytes of sent.slice(SIZES.length)) sending.send(bytes)
    const expected = Buffer.concat(sent)
    for (let tries = 0; tries < 400 && receivedBytes() < expected.length; tries += 1)
      await systemClock.sleep(5)
    assert.ok(Buffer.concat(received).equals(expected))
  })

  it('take no memory of their own when they are large and come in pieces', () => {
    const cutter = createFrameCutter()
    const frame = Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(65_535, 7)])
    const memories = new Set<ArrayBufferLike>()
    for (let index = 0; index < 20; index += 1) {
      Array.from(cutter.decode(frame.subarray(0, 100)))
      for (const { buffer } of cutter.decode(frame.subarray(100))) memories.add(buffer)
    }
    assert.equal(memories.size, 1)
  })
})
