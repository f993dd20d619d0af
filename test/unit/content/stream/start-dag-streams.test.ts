import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { UnsupportedProtocolError } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { AbstractStream } from '@libp2p/utils'
import type { SendResult } from '@libp2p/utils'
import { silentLogger } from '#contracts'
import { cidOf, createMemoryBlockStore, RAW_CODEC } from '#content'
import { pipeOfStream } from '../../../../content/stream/pipe.ts'
import { startDagStreams } from '../../../../content/stream/start-dag-streams.ts'
import type { DagStreams, StreamLibp2p } from '../../../../content/stream/start-dag-streams.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'
import { randomPeerId } from '../fixture.ts'

/** A stream whose other side says nothing. */
class SilentStream extends AbstractStream {
  constructor() {
    super({ id: '1', log: defaultLogger().forComponent('test'), direction: 'outbound' })
  }

  override sendData(data: Parameters<AbstractStream['sendData']>[0]): SendResult {
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  override sendReset(): void {
    // There is nobody to tell.
  }

  override async sendCloseWrite(): Promise<void> {
    await Promise.resolve()
  }

  override async sendCloseRead(): Promise<void> {
    await Promise.resolve()
  }

  override sendPause(): void {
    // Nothing comes.
  }

  override sendResume(): void {
    // Nothing comes.
  }
}

const UNSUPPORTED = new UnsupportedProtocolError('the peer does not speak it')

/** How a provider is connected: over a relay without limits when not directly. */
interface Way {
  readonly direct: boolean
}

/** Streams of a node that is connected to one provider, and would find others if it waited. */
async function startStreams(
  open: (way: Way) => SilentStream,
  { onDial = () => undefined, ways = [] }: { onDial?: () => void; ways?: readonly Way[] } = {}
): Promise<DagStreams> {
  const connect = (direct: boolean): object => ({
    ...{ status: 'open', limits: undefined, direct },
    newStream: async () => await Promise.resolve(open({ direct }))
  })
  const libp2p = {
    peerId: randomPeerId(),
    peerStore: { get: async () => await Promise.reject(new Error('not known')) },
    dial: async () => {
      onDial()
      return await Promise.resolve(connect(true))
    },
    getConnections: () => ways.map(({ direct }) => connect(direct)),
    handle: async () => await Promise.resolve(),
    unhandle: async () => await Promise.resolve(),
    register: async () => await Promise.resolve('topology'),
    unregister: () => undefined,
    addEventListener: () => undefined,
    removeEventListener: () => undefined
  } as unknown as StreamLibp2p
  return await startDagStreams({
    libp2p,
    store: createMemoryBlockStore(),
    clock: createVirtualClock(),
    logger: silentLogger,
    connect: async () => await Promise.resolve(),
    grantOf: async () => await Promise.resolve(undefined),
    isDenied: () => false,
    routing: {
      findProviders: async function* (_cid, { signal }) {
        yield { peerId: randomPeerId(), multiaddrs: [] }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      }
    }
  })
}

describe('streams of DAGs', () => {
  for (const when of ['before the stream is used', 'later']) {
    it(`leave a provider that turns out not to speak the protocol ${when} to others at once`, async () => {
      let opened = 0
      await using streams = await startStreams(() => {
        opened++
        const stream = new SilentStream()
        if (when === 'later') setImmediate(() => stream.abort(UNSUPPORTED))
        else stream.abort(UNSUPPORTED)
        return stream
      })
      const root = cidOf(RAW_CODEC, Buffer.from('nobody streams it'))
      await using fetch = streams.createFetch({ root, durable: false, onStored: () => undefined })
      let isOver = false
      void fetch.fetch(root).then((bytes) => (isOver = bytes === undefined))
      for (let turn = 0; turn < 20; turn++) await nextTurn()
      assert.equal(isOver, true)
      assert.equal(opened, 1)
    })
  }
})

describe('a provider of streams', () => {
  for (const [name, ways, dials] of [
    ['is connected is not dialled', [{ direct: true }], 0],
    ['is not connected is dialled', [], 1],
    ['is connected over a relay too is asked directly', [{ direct: false }, { direct: true }], 0],
    ['is connected over a relay only is dialled, in case there is a better way', [{ direct: false }], 1]
  ] as const) {
    it(`that ${name}`, async () => {
      const opened: boolean[] = []
      let dialed = 0
      const open = ({ direct }: Way): SilentStream => {
        opened.push(direct)
        return new SilentStream()
      }
      await using streams = await startStreams(open, { ways, onDial: () => dialed++ })
      const root = cidOf(RAW_CODEC, Buffer.from('nobody streams it'))
      await using fetch = streams.createFetch({ root, durable: false, onStored: () => undefined })
      void fetch.fetch(root)
      for (let turn = 0; turn < 20; turn++) await nextTurn()
      assert.deepEqual(opened, [true])
      assert.equal(dialed, dials)
    })
  }
})

describe('a stream as a pipe', () => {
  it('says why it was given up', () => {
    const stream = new SilentStream()
    const causes: unknown[] = []
    pipeOfStream(stream).receive(
      () => undefined,
      (cause) => causes.push(cause)
    )
    stream.abort(UNSUPPORTED)
    assert.deepEqual(causes, [UNSUPPORTED])
  })
})
