import assert from 'node:assert/strict'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { guardedYamux } from '../../../dht/guarded-muxer.ts'

const [DATA, WINDOW_UPDATE, GO_AWAY] = [0, 1, 3]
const [NONE, SYN, FIN] = [0, 1, 4]
/** Of those that the listening side opens. */
const STREAM = 2

/** The header of a yamux frame (its specification): version, type, flags, stream, length. */
function frame(type: number, flags: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt32BE(type === GO_AWAY ? 0 : STREAM, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
}

/** How many bytes our muxer answers to frames that come in one turn. */
async function answered(...frames: Uint8Array[]): Promise<number> {
  const [near, far] = multiaddrConnectionPair()
  const muxer = guardedYamux({})().createStreamMuxer(near)
  let bytes = 0
  far.addEventListener('message', ({ data }) => (bytes += data.byteLength))
  // whoever accepts a stream closes it when the other side has
  muxer.addEventListener('stream', ({ detail: stream }) => {
    stream.addEventListener('remoteCloseWrite', () => void stream.close())
  })
  far.send(Buffer.concat(frames))
  // its answers come after this turn, each side in turns of its own
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  near.abort(new Error('the end of the test'))
  return bytes
}

describe('a peer that says goodbye', () => {
  const visit = [
    frame(WINDOW_UPDATE, SYN, 0),
    Buffer.concat([frame(DATA, NONE, 1), Uint8Array.of(7)]),
    frame(WINDOW_UPDATE, FIN, 0)
  ]

  it('is answered nothing, though its stream would have been', async () => {
    assert.ok((await answered(...visit)) > 0)
    assert.equal(await answered(...visit, frame(GO_AWAY, NONE, 0)), 0)
  })
})
