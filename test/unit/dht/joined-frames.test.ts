import assert from 'node:assert/strict'
import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { JOINED_FRAMES_BYTES_MAX } from '../../../dht/constants.ts'
import { endHandshake, joinFrames, joinHandshake } from '../../../dht/joined-frames.ts'
import { afterThisTurn } from '../../../dht/powers.ts'

/** A connection that joins frames, and the sizes of the writes that come to its other end. */
function joined(
  hasLeft = (): boolean => false,
  join = (near: MultiaddrConnection): void => void joinFrames(near, hasLeft)
): {
  near: MultiaddrConnection
  far: MultiaddrConnection
  came: number[]
  bytes: number[]
} {
  const [near, far] = multiaddrConnectionPair()
  join(near)
  const came: number[] = []
  const bytes: number[] = []
  far.addEventListener('message', ({ data }) => {
    came.push(data.byteLength)
    bytes.push(...data.subarray())
  })
  return { near, far, came, bytes }
}

/** Until so many bytes have come. */
async function arrived({ far, bytes }: ReturnType<typeof joined>, count: number): Promise<void> {
  while (bytes.length < count) {
    await new Promise((resolve) => far.addEventListener('message', resolve, { once: true }))
  }
}

describe('frames of one turn', () => {
  it('are written in one piece, in their order, those of promises that hang on it included', async () => {
    const pair = joined()
    for (const value of [1, 2, 3]) pair.near.send(Uint8Array.of(value))
    await Promise.resolve()
    pair.near.send(Uint8Array.of(4))
    await arrived(pair, 4)
    assert.deepEqual(pair.bytes, [1, 2, 3, 4])
    assert.ok(pair.came.length <= 2, String(pair.came))
    pair.near.send(Uint8Array.of(5))
    await arrived(pair, 5)
    assert.deepEqual(pair.bytes.slice(4), [5])
  })

  it('do not wait when they are many', async () => {
    const pair = joined()
    pair.near.send(Uint8Array.of(1))
    pair.near.send(new Uint8Array(JOINED_FRAMES_BYTES_MAX).fill(2))
    assert.equal(pair.near.writeBufferLength, 0)
    pair.near.send(Uint8Array.of(3))
    await arrived(pair, JOINED_FRAMES_BYTES_MAX + 2)
    assert.deepEqual([pair.bytes[0], pair.bytes[1], pair.bytes.at(-1)], [1, 2, 3])
  })

  it('are still written when the connection is closed, and when it is aborted', async () => {
    const closed = joined()
    closed.near.send(Uint8Array.of(1, 2, 3))
    await closed.near.close()
    await arrived(closed, 3)
    const aborted = joined()
    aborted.near.send(Uint8Array.of(4, 5))
    assert.ok(aborted.near.writeBufferLength > 0)
    aborted.near.abort(new Error('no more'))
    assert.equal(aborted.near.writeBufferLength, 0)
    assert.throws(() => aborted.near.send(Uint8Array.of(6)))
  })

  it('are dropped when the other side has left meanwhile', async () => {
    const left = new Set<number>()
    const pair = joined(() => left.size > 0)
    pair.near.send(Uint8Array.of(1, 2, 3))
    left.add(1)
    await pair.near.close()
    assert.deepEqual([pair.bytes, pair.near.writeBufferLength], [[], 0])
  })
})

describe('what a handshake says in one turn', () => {
  it('is written in one piece, with what follows it at the end of the turn', async () => {
    const pair = joined(undefined, joinHandshake)
    pair.near.send(Uint8Array.of(1))
    await Promise.resolve()
    pair.near.send(Uint8Array.of(2))
    endHandshake(pair.near)
    // as a connection does that the handshake made
    afterThisTurn(() => pair.near.send(Uint8Array.of(3)))
    await arrived(pair, 3)
    assert.deepEqual([pair.bytes, pair.came], [[1, 2, 3], [3]])
  })

  it('waits no more once it is done', async () => {
    const pair = joined(undefined, joinHandshake)
    pair.near.send(Uint8Array.of(1))
    endHandshake(pair.near)
    await arrived(pair, 1)
    pair.near.send(Uint8Array.of(2))
    assert.equal(pair.near.writeBufferLength, 0)
    await arrived(pair, 2)
    assert.deepEqual(pair.bytes, [1, 2])
  })

  it('is still written when the connection is aborted', async () => {
    const pair = joined(undefined, joinHandshake)
    pair.near.send(Uint8Array.of(1))
    pair.near.abort(new Error('no more'))
    assert.equal(pair.near.writeBufferLength, 0)
    await arrived(pair, 1)
  })
})
