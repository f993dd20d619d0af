import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import type { RehearsalNetwork } from '#content'
import { startRehearsalNetwork } from '#dht'
import type { Connection, Stream } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { multiaddr } from '@multiformats/multiaddr'
import { rehearseFetch } from '../../../content/rehearsal.ts'
import { testLibp2pInit } from './exchange-nodes.ts'

const powers = { clock: systemClock, random: systemRandom, logger: silentLogger }
/** Of each a root and a leaf: two of 128 KiB, eight of 250, ten of 40. */
const FILES = 2 + 8 + 10
const BLOCKS = FILES * 2
const BYTES = (2 * 128 + 8 * 250 + 10 * 40) * 1024

/** The ports that are listened on meanwhile by this process. */
async function portsOf<T>(task: (ports: ReadonlySet<number>) => Promise<T>): Promise<T> {
  const ports = new Set<number>()
  const prototype = Object.getPrototypeOf(createServer()) as Server
  const { listen } = prototype
  prototype.listen = function (this: Server, ...given: Parameters<Server['listen']>) {
    this.once('listening', () => {
      const address = this.address()
      if (typeof address === 'object' && address !== null) ports.add(address.port)
    })
    return listen.apply(this, given)
  } as Server['listen']
  try {
    return await task(ports)
  } finally {
    prototype.listen = listen
  }
}

/** Tells of each stream that is opened on that connection. */
function watchStreams(connection: Connection, onStream: (stream: Stream) => void): void {
  const newStream = connection.newStream.bind(connection)
  connection.newStream = async (...given) => {
    const stream = await newStream(...given)
    onStream(stream)
    return stream
  }
}

describe('a rehearsal over a network', () => {
  it('brings its blocks over encrypted streams of this process with itself, and leaves none', async () => {
    let streams = 0
    let bytes = 0
    let ended = 0
    const startNetwork = async (signal: AbortSignal): Promise<RehearsalNetwork> => {
      const network = await startRehearsalNetwork(powers, signal)
      const [connection] = network.asking.getConnections()
      watchStreams(connection as Connection, (stream) => {
        streams++
        stream.addEventListener('message', ({ data }) => (bytes += data.byteLength))
      })
      return {
        ...network,
        [Symbol.asyncDispose]: async () => {
          await network[Symbol.asyncDispose]()
          ended++
        }
      }
    }
    const { signal } = new AbortController()
    assert.equal(await rehearseFetch({ ...powers, startNetwork }, signal), BLOCKS)
    assert.equal(streams, FILES)
    assert.ok(bytes >= BYTES, `${bytes} bytes came over it`)
    assert.equal(ended, 1)
  })

  it('takes place in memory where there is no network', async () => {
    const startNetwork = async (): Promise<RehearsalNetwork> =>
      await Promise.reject(new Error('nothing may listen here'))
    const { signal } = new AbortController()
    assert.equal(await rehearseFetch({ ...powers, startNetwork }, signal), BLOCKS)
  })

  it('ends with its reason when the node stops while it connects', async () => {
    const stop = new AbortController()
    const startNetwork = async (signal: AbortSignal): Promise<RehearsalNetwork> => {
      stop.abort(new Error('the node stops'))
      return await startRehearsalNetwork(powers, signal)
    }
    await assert.rejects(rehearseFetch({ ...powers, startNetwork }, stop.signal), /the node stops/)
  })

  it('lets nobody else in, and listens no longer than it lasts', async () => {
    await using stack = new AsyncDisposableStack()
    const stranger = await createLibp2p(testLibp2pInit())
    stack.defer(async () => await stranger.stop())
    await portsOf(async (ports) => {
      const network = await startRehearsalNetwork(powers, new AbortController().signal)
      assert.equal(ports.size, 1)
      const address = multiaddr(`/ip4/127.0.0.1/tcp/${[...ports][0] ?? 0}`)
      const dialed = await stranger.dial(address).then(
        async (connection) => {
          // Who dialled may be done with the handshake before it is refused.
          await assert.rejects(connection.newStream('/elastos/rehearsal/1.0.0'))
        },
        () => undefined
      )
      assert.equal(dialed, undefined)
      await network[Symbol.asyncDispose]()
      await assert.rejects(stranger.dial(address))
    })
  })
})
