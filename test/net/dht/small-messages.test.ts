import assert from 'node:assert/strict'
import { noise } from '@chainsafe/libp2p-noise'
import type { Connection, Libp2p } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Libp2pOptions } from 'libp2p'
import { guardedYamux } from '../../../dht/guarded-muxer.ts'
import { joinedNoise } from '../../../dht/joined-noise.ts'
import { testLibp2pInit } from '../content/exchange-nodes.ts'
import { until } from './hosts.ts'

const MESSAGES = 20
const LARGE_BYTES = 3_000_000

type Stack = Pick<Libp2pOptions, 'connectionEncrypters' | 'streamMuxers'>

/** Where libp2p keeps the socket of a connection over TCP. */
interface Wired {
  readonly muxer: {
    readonly maConn: { readonly stream: { readonly socket: { write(bytes: Uint8Array): boolean } } }
  }
}

/** Counts what is written to the socket of a connection from now on. */
function countWrites(connection: Connection): () => number {
  const { socket } = (connection as unknown as Wired).muxer.maConn.stream
  const write = socket.write.bind(socket)
  let writes = 0
  socket.write = (bytes) => {
    writes += 1
    return write(bytes)
  }
  return () => writes
}

interface Writes {
  readonly sender: number
  readonly receiver: number
}

/** How often each side writes to its socket for small messages one way; then that a large one arrives whole. */
async function writesOf(stack: Stack): Promise<Writes> {
  await using nodes = new AsyncDisposableStack()
  const [sender, receiver] = [await start(nodes, stack), await start(nodes, stack)]
  let bytes = 0
  await receiver.handle('/test', (stream) => {
    stream.addEventListener('message', ({ data }) => (bytes += data.byteLength))
  })
  const connection = await sender.dial(receiver.getMultiaddrs())
  const stream = await connection.newStream('/test')
  stream.send(Uint8Array.of(0))
  await until(() => bytes === 1)
  const [back] = receiver.getConnections()
  assert.ok(back)
  const [sent, answered] = [countWrites(connection), countWrites(back)]
  for (let count = 1; count <= MESSAGES; count += 1) {
    stream.send(Uint8Array.of(count))
    await until(() => bytes === 1 + count)
  }
  const writes = { sender: sent(), receiver: answered() }
  for (let left = LARGE_BYTES; left > 0; left -= 100_000) {
    if (!stream.send(new Uint8Array(100_000))) await stream.onDrain()
  }
  await until(() => bytes === 1 + MESSAGES + LARGE_BYTES)
  return writes
}

async function start(nodes: AsyncDisposableStack, stack: Stack): Promise<Libp2p> {
  // no service that would write to the connection by itself
  const node = await createLibp2p({ ...testLibp2pInit(), ...stack, services: {} })
  nodes.defer(async () => await node.stop())
  return node
}

describe('small messages', () => {
  it('stock libp2p: two writes for each, and two back; ours: one, and none', async () => {
    const stock = await writesOf({ connectionEncrypters: [noise()], streamMuxers: [yamux()] })
    assert.ok(
      stock.sender >= 2 * MESSAGES,
      'frames are written in one piece upstream: joined-noise.ts can go'
    )
    assert.ok(
      stock.receiver >= MESSAGES,
      'windows are renewed by halves upstream: that of guarded-muxer.ts can go'
    )
    const ours = await writesOf({ connectionEncrypters: [joinedNoise()], streamMuxers: [guardedYamux({})] })
    assert.equal(ours.sender, MESSAGES)
    assert.equal(ours.receiver, 0)
  })
})
