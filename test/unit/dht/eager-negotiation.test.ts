import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { guardedYamux } from '../../../dht/guarded-muxer.ts'

const PROTOCOL = '/test/1.0.0'
const NEGOTIATION = Buffer.from(`\x13/multistream/1.0.0\n\x0c${PROTOCOL}\n`)

/** What the side that listens, which speaks one protocol, makes of a stream that begins with some pieces. */
async function opened(...pieces: Uint8Array[]): Promise<{
  /** The protocol that libp2p finds when it is told of the stream; empty when it is to negotiate itself. */
  protocol: string
  asked: Buffer
  answered: Buffer
}> {
  const [near, far] = multiaddrConnectionPair()
  const registrar = {
    getHandler: (protocol: string) => {
      if (protocol !== PROTOCOL) throw new Error('nobody handles it')
      return {}
    }
  }
  const create = guardedYamux({})
  const muxers = [create().createStreamMuxer(near), create({ registrar }).createStreamMuxer(far)] as const
  const taken = new Promise<{ stream: Stream; protocol: string }>((resolve) => {
    muxers[1].addEventListener('stream', ({ detail: stream }) =>
      resolve({ stream, protocol: stream.protocol })
    )
  })
  const stream = await muxers[0].createStream()
  const [asked, answered] = [[] as Uint8Array[], [] as Uint8Array[]]
  stream.addEventListener('message', ({ data }) => answered.push(data.subarray()))
  for (const piece of pieces) {
    stream.send(piece)
    await new Promise(setImmediate)
  }
  const { protocol, stream: other } = await taken
  other.addEventListener('message', ({ data }) => asked.push(data.subarray()))
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  near.abort(new Error('the end of the test'))
  return { protocol, asked: Buffer.concat(asked), answered: Buffer.concat(answered) }
}

describe('a stream whose opener does not wait', () => {
  const request = Buffer.from('what it asks')

  it('is agreed to at once, and what is asked comes through', async () => {
    assert.deepEqual(await opened(Buffer.concat([NEGOTIATION, request])), {
      ...{ protocol: PROTOCOL, asked: request, answered: NEGOTIATION }
    })
  })

  it('is left to libp2p when it wants what nobody speaks, says something else, nothing, or comes in pieces', async () => {
    const [header, protocol] = [NEGOTIATION.subarray(0, 20), NEGOTIATION.subarray(20)]
    const other = Buffer.from(NEGOTIATION)
    other.write('/tost', 21)
    const noLine = Buffer.from(NEGOTIATION)
    noLine[noLine.length - 1] = 65
    for (const pieces of [
      [other],
      [noLine],
      [Buffer.from('\x13/multistream/2.0.0\n')],
      [header, protocol],
      []
    ]) {
      const asked = Buffer.concat(pieces)
      assert.deepEqual(await opened(...pieces), { protocol: '', asked, answered: Buffer.alloc(0) })
    }
  })

  it('ends no connection when it is opened, negotiated and reset in one frame', async () => {
    const [near, far] = multiaddrConnectionPair()
    const registrar = { getHandler: () => ({}) }
    const muxer = guardedYamux({})({ registrar }).createStreamMuxer(far)
    const told = new Promise<Stream>((resolve) => {
      muxer.addEventListener('stream', ({ detail }) => resolve(detail))
    })
    const frame = Buffer.alloc(12 + NEGOTIATION.length)
    // a data frame with the flags SYN and RST, of stream 1
    frame.writeUInt16BE(9, 2)
    frame.writeUInt32BE(1, 4)
    frame.writeUInt32BE(NEGOTIATION.length, 8)
    NEGOTIATION.copy(frame, 12)
    near.send(frame)
    const { writeStatus } = await told
    assert.notEqual(writeStatus, 'writable')
    assert.deepEqual([muxer.status, far.status], ['open', 'open'])
    near.abort(new Error('the end of the test'))
  })
})
