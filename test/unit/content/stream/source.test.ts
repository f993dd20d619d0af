import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { silentLogger } from '#contracts'
import { cidOf, DAG_PB_CODEC, RAW_CODEC } from '#content'
import { Slabs } from '../../../../content/slabs.ts'
import type { BulkConnection } from '../../../../content/stream/bulk-sockets.ts'
import {
  DEFAULT_STREAM_LIMITS,
  FIRST_CREDIT_BYTES,
  REST_CREDIT_AFTER_MS,
  SLAB_BYTES
} from '../../../../content/stream/constants.ts'
import type { StreamLimits } from '../../../../content/stream/constants.ts'
import { FrameReader } from '../../../../content/stream/frame-reader.ts'
import { FrameWriter } from '../../../../content/stream/frame-writer.ts'
import type { Pipe } from '../../../../content/stream/pipe.ts'
import { Source } from '../../../../content/stream/source.ts'
import type { SourceEvents } from '../../../../content/stream/source.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const BLOCK = Buffer.alloc(64, 1)
const CREDIT_BYTES = DEFAULT_STREAM_LIMITS.streamCreditBytes

interface OpenedSource {
  readonly source: Source
  readonly clock: ReturnType<typeof createVirtualClock>
  /** Bytes that the peer was granted until now. */
  granted(): number
  /** The peer sends a block. */
  sends(bytes: Uint8Array): Promise<void>
}

/** A source whose peer a test plays. */
async function openSource(limits: Partial<StreamLimits> = {}): Promise<OpenedSource> {
  const clock = createVirtualClock()
  const memory = new Slabs({ slabBytes: SLAB_BYTES, keptMax: 1 })
  let granted = 0
  let receive: (bytes: Uint8Array) => void = () => undefined
  const said = new FrameReader((frame) => {
    if (frame.type === 'more') granted += frame.bytes
  })
  const ends = { drained: async () => await Promise.resolve(), end: () => undefined, abort: () => undefined }
  const pipe: Pipe = {
    ...ends,
    send: (bytes) => {
      said.push(bytes)
      return true
    },
    receive: (onBytes) => (receive = onBytes)
  }
  const nothing = (): void => undefined
  const events: SourceEvents = {
    ...{ memory, onBlock: nothing, onBelow: nothing, onAbsent: nothing, onHandedBack: nothing },
    ...{ onRoom: nothing, onEnd: nothing }
  }
  const openPipe = async (): Promise<{ pipe: Pipe; connection: BulkConnection }> =>
    await Promise.resolve({ pipe, connection: {} as BulkConnection })
  const components = { clock, logger: silentLogger, openPipe }
  const source = new Source(components, { peerId: 'a', events }, { ...DEFAULT_STREAM_LIMITS, ...limits })
  await source.open()
  const peerPipe: Pipe = { ...ends, receive: nothing, send: (bytes) => (receive(bytes), true) }
  const { signal } = new AbortController()
  const deadline = (): Disposable => ({ [Symbol.dispose]: nothing })
  const writer = new FrameWriter({ pipe: peerPipe, signal, deadline })
  const sends = async (bytes: Uint8Array): Promise<void> => {
    await writer.block(bytes)
    await writer.flush()
  }
  return { source, clock, granted: () => granted, sends }
}

describe('a provider of a fetch', () => {
  it('may send a root and the first leaf at first, and the rest a moment later', async () => {
    const { source, clock, granted } = await openSource()
    assert.equal(granted(), FIRST_CREDIT_BYTES)
    await clock.advance(REST_CREDIT_AFTER_MS - 1)
    assert.equal(granted(), FIRST_CREDIT_BYTES)
    await clock.advance(1)
    assert.equal(granted(), CREDIT_BYTES)
    source[Symbol.dispose]()
  })

  it('may send the rest as soon as a block is where it belongs, once', async () => {
    const { source, clock, granted, sends } = await openSource()
    source.ask({ roots: [cidOf(RAW_CODEC, BLOCK)], below: false })
    await clock.advance(0)
    await sends(BLOCK)
    source.release(BLOCK.length)
    assert.equal(granted(), CREDIT_BYTES + BLOCK.length)
    await clock.advance(REST_CREDIT_AFTER_MS)
    assert.equal(granted(), CREDIT_BYTES + BLOCK.length)
    source[Symbol.dispose]()
  })

  it('may send the rest at once behind a root that took all it was granted', async () => {
    const root = dagPb.encode({ Data: new Uint8Array(FIRST_CREDIT_BYTES), Links: [] })
    const { source, clock, granted, sends } = await openSource()
    source.ask({ roots: [cidOf(DAG_PB_CODEC, root)], below: true })
    await clock.advance(0)
    await sends(root)
    assert.equal(granted(), CREDIT_BYTES)
    source[Symbol.dispose]()
  })

  it('may send no more at first than a smaller limit allows', async () => {
    const { source, clock, granted } = await openSource({ streamCreditBytes: 1_000 })
    await clock.advance(REST_CREDIT_AFTER_MS)
    assert.equal(granted(), 1_000)
    source[Symbol.dispose]()
  })

  it('leaves no timer behind', async () => {
    const { source, clock } = await openSource()
    assert.ok(clock.pendingCount() > 0)
    source[Symbol.dispose]()
    assert.equal(clock.pendingCount(), 0)
  })
})
