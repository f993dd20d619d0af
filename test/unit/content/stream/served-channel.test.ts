import assert from 'node:assert/strict'
import { silentLogger, systemClock } from '#contracts'
import { createMemoryBlockStore, RAW_CODEC } from '#content'
import type { BlockStore } from '#content'
import type { BlockFound } from '../../../../content/block-store.ts'
import type { CID } from 'multiformats/cid'
import { linksOf } from '../../../../content/dag-links.ts'
import { Slabs } from '../../../../content/slabs.ts'
import { DEFAULT_STREAM_LIMITS } from '../../../../content/stream/constants.ts'
import { FrameReader } from '../../../../content/stream/frame-reader.ts'
import { encodeFrame, type Frame } from '../../../../content/stream/frames.ts'
import type { Pipe } from '../../../../content/stream/index.ts'
import { ServedChannel } from '../../../../content/stream/served-channel.ts'
import { until } from '../../../net/content/raw-peer.ts'
import { EVERYTHING, putFile } from '../../../net/content/stream-nodes.ts'

const MIB = 1024 * 1024
const SLAB_BYTES = 2 * MIB

interface Served extends Disposable {
  readonly store: BlockStore
  readonly root: CID
  readonly leaves: readonly CID[]
  /** What the store was asked to read, run by run. */
  readonly read: CID[][]
  /** What the requester got. */
  readonly frames: Frame[]
  /** Whether what is sent goes; otherwise it waits to be taken. */
  readonly line: { isOpen: boolean; open(): void }
  ask(o: { range?: { from: number; to: number } }): void
}

interface ServeInit {
  readonly isDenied?: (cid: CID) => boolean
  /** How blocks are read; as the store in memory does when absent. */
  readonly getMany?: (store: BlockStore, cids: readonly CID[]) => AsyncIterable<BlockFound>
}

/** A channel over a line that a test opens, on which a file of three leaves is asked for. */
async function serve(o: ServeInit = {}): Promise<Served> {
  const store = createMemoryBlockStore()
  const root = await putFile(store, { bytes: 3 * MIB })
  const leaves = linksOf(root, (await store.get(root)) as Uint8Array)
  const read: CID[][] = []
  const frames: Frame[] = []
  const reader = new FrameReader((frame) => frames.push(frame))
  const drained = Promise.withResolvers<void>()
  const line = { isOpen: false, open: () => drained.resolve() }
  let take: (bytes: Uint8Array) => void = () => undefined
  const pipe: Pipe = {
    send: (bytes, onSent) => {
      reader.push(bytes)
      onSent?.()
      return line.isOpen
    },
    drained: async () => {
      await drained.promise
      line.isOpen = true
    },
    receive: (onBytes) => (take = onBytes),
    end: () => undefined,
    abort: () => undefined
  }
  const counted: Pick<BlockStore, 'getMany' | 'hold'> = {
    hold: () => store.hold(),
    getMany: (cids, options) => {
      const wanted = [...cids]
      read.push(wanted)
      return o.getMany?.(store, wanted) ?? store.getMany(wanted, options)
    }
  }
  const channel = new ServedChannel(
    {
      ...{ store: counted, clock: systemClock, logger: silentLogger },
      grantOf: async () => await Promise.resolve(EVERYTHING),
      isDenied: o.isDenied ?? (() => false)
    },
    {
      peerId: 'a peer',
      pipe,
      memory: new Slabs({ slabBytes: SLAB_BYTES, keptMax: 2 }),
      onEnd: () => undefined
    },
    DEFAULT_STREAM_LIMITS
  )
  return {
    ...{ store, root, leaves, read, frames, line },
    ask: ({ range }) => {
      take(encodeFrame({ type: 'more', bytes: 16 * MIB }))
      take(encodeFrame({ type: 'ask', ask: { roots: [root], below: true, range } }))
    },
    [Symbol.dispose]: () => channel[Symbol.dispose]()
  }
}

const isEnd = ({ type }: Frame): boolean => type === 'end'
const textOf = (runs: readonly (readonly CID[])[]): string[] => runs.flat().map(String)

describe('a channel that a peer asks on', () => {
  it('reads the first leaf of a file while its root is on its way, and no block twice', async () => {
    using served = await serve()
    served.ask({})
    await until(() => served.read.length === 2)
    assert.deepEqual(textOf(served.read), [served.root, served.leaves[0]].map(String))
    assert.equal(served.frames.length, 1, 'nobody has taken more than the root')
    served.line.open()
    await until(() => served.frames.some(isEnd))
    assert.deepEqual(textOf(served.read), [served.root, ...served.leaves].map(String))
    assert.equal(served.frames.filter(({ type }) => type === 'block').length, 4)
  })

  it('reads nothing ahead that it must not give', async () => {
    const denied = await serve()
    const first = String(denied.leaves[0])
    denied[Symbol.dispose]()
    using served = await serve({ isDenied: (cid) => String(cid) === first })
    served.line.open()
    served.ask({})
    await until(() => served.frames.some(isEnd))
    assert.ok(!textOf(served.read).includes(first))
    assert.deepEqual(
      served.frames.map(({ type }) => type),
      ['block', 'absent', 'block', 'block', 'end']
    )
  })

  it('reads nothing ahead of a range, which begins elsewhere', async () => {
    using served = await serve()
    served.line.open()
    served.ask({ range: { from: 2 * MIB, to: 3 * MIB } })
    await until(() => served.frames.some(isEnd))
    assert.deepEqual(textOf(served.read), [served.root, served.leaves[2]].map(String))
  })

  it('knows what it reads ahead when the memory of the root has been given back', async () => {
    const released = Promise.withResolvers<void>()
    using served = await serve({
      getMany: async function* (store, cids) {
        for (const cid of cids) {
          // What the disk brings is compared with the CID that was asked for.
          if (cid.code === RAW_CODEC) await released.promise
          const bytes = (await store.get(cid))?.slice()
          const release = (): void => {
            bytes?.fill(0)
            released.resolve()
          }
          yield { cid, bytes, release }
        }
      }
    })
    served.line.open()
    served.ask({})
    await until(() => served.frames.some(isEnd))
    assert.deepEqual(
      served.frames.map(({ type }) => type),
      ['block', 'block', 'block', 'block', 'end']
    )
    assert.deepEqual(textOf(served.read), [served.root, ...served.leaves].map(String))
  })
})
