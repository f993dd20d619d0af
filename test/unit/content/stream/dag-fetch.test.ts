import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as dagPb from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { silentLogger } from '#contracts'
import type { Clock } from '#contracts'
import { cidOf, createMemoryBlockStore, DAG_PB_CODEC, RAW_CODEC } from '#content'
import type { BlockStore } from '#content'
import { matchesCid } from '../../../../content/cid.ts'
import { DEFAULT_STREAM_LIMITS, FIRST_STORED_AFTER_MS } from '../../../../content/stream/constants.ts'
import { DagFetch } from '../../../../content/stream/dag-fetch.ts'
import type { Source } from '../../../../content/stream/source.ts'
import { stepKey } from '../../../../content/stream/walk.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const LEAF = new Uint8Array(64 * 1024).fill(7)
const LEAF_CID = cidOf(RAW_CODEC, LEAF)
const OTHER = new Uint8Array(1024).fill(8)
const OTHER_CID = cidOf(RAW_CODEC, OTHER)
const PARENT = dagPb.encode(dagPb.prepare({ Links: [{ Hash: LEAF_CID, Name: '', Tsize: LEAF.length }] }))
const PARENT_CID = cidOf(DAG_PB_CODEC, PARENT)

/** A store whose writes wait, and that notes whether what they write is then still what it is to be. */
function slowStore(): { store: BlockStore; intact: boolean[]; write: () => Promise<void> } {
  const store = createMemoryBlockStore()
  const putMany = store.putMany.bind(store)
  const intact: boolean[] = []
  const waiting: PromiseWithResolvers<void>[] = []
  store.putMany = async (blocks, options) => {
    const turn = Promise.withResolvers<void>()
    waiting.push(turn)
    await turn.promise
    const all = await Array.fromAsync(blocks)
    intact.push(...all.map(({ cid, bytes }) => matchesCid(cid, bytes)))
    return await putMany(all, options)
  }
  const write = async (): Promise<void> => {
    waiting.shift()?.resolve()
    await nextTurn()
  }
  return { store, intact, write }
}

/** A fetch of which a test plays the sources. */
function openFetch(store: BlockStore, clock: Clock = createVirtualClock()): DagFetch {
  return new DagFetch(
    {
      store,
      clock,
      logger: silentLogger,
      routing: undefined,
      connect: async () => await Promise.resolve(),
      connectedPeers: () => ['a peer that takes long'],
      isAcceptable: () => true,
      isDenied: () => false,
      onBlame: () => undefined,
      openPipe: async (_peerId, signal) =>
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        })
    },
    { root: PARENT_CID, durable: false, onStored: () => undefined },
    DEFAULT_STREAM_LIMITS
  )
}

const SOURCE = { release: () => undefined } as unknown as Source

/** A block comes, in memory that is used for others as soon as it may be. */
function arrive(fetch: DagFetch, cid: CID, o: { bytes: Uint8Array; below: readonly CID[] }): void {
  const bytes = o.bytes.slice()
  const release = cid.code === RAW_CODEC ? () => void bytes.fill(0) : undefined
  fetch.onBlock(SOURCE, { cid, bytes, keysBelow: o.below.map(stepKey), hasMoreBelow: false, release })
}

describe('a fetch of a DAG', () => {
  it('hands over the first block before it is stored, and stores it a moment later', async () => {
    const store = createMemoryBlockStore()
    const clock = createVirtualClock()
    await using fetch = openFetch(store, clock)
    const parent = fetch.fetch(PARENT_CID)
    arrive(fetch, PARENT_CID, { bytes: PARENT, below: [LEAF_CID] })
    assert.deepEqual(await parent, PARENT)
    assert.equal(await store.has(PARENT_CID), false, 'its reader goes on first')
    await clock.advance(FIRST_STORED_AFTER_MS)
    assert.equal(await store.has(PARENT_CID), true)
  })

  it('stores all that came when another block follows, and when it ends', async () => {
    const store = createMemoryBlockStore()
    const clock = createVirtualClock()
    const fetch = openFetch(store, clock)
    void fetch.fetch(PARENT_CID)
    arrive(fetch, PARENT_CID, { bytes: PARENT, below: [LEAF_CID, OTHER_CID] })
    arrive(fetch, LEAF_CID, { bytes: LEAF, below: [] })
    await clock.advance(0)
    assert.equal(await store.has(PARENT_CID), true)
    assert.equal(await store.has(LEAF_CID), true)
    arrive(fetch, OTHER_CID, { bytes: OTHER, below: [] })
    await fetch[Symbol.asyncDispose]()
    assert.equal(await store.has(OTHER_CID), true)
    assert.equal(clock.pendingCount(), 0)
  })

  it('expects what is told to follow later as if it had been told at once', async () => {
    await using fetch = openFetch(createMemoryBlockStore())
    const parent = fetch.fetch(PARENT_CID)
    arrive(fetch, PARENT_CID, { bytes: PARENT, below: [LEAF_CID] })
    await parent
    assert.equal(fetch.expects(OTHER_CID), false)
    fetch.onBelow(SOURCE, [stepKey(OTHER_CID)])
    assert.equal(fetch.expects(OTHER_CID), true)
    const other = fetch.fetch(OTHER_CID)
    arrive(fetch, OTHER_CID, { bytes: OTHER, below: [] })
    assert.deepEqual(await other, OTHER)
  })

  it('looks after what it is told later, also while nobody waits', async () => {
    const clock = createVirtualClock()
    let sweeps = 0
    const watched: Clock = {
      ...clock,
      every: (durationMs, callback) =>
        clock.every(durationMs, () => {
          sweeps += 1
          callback()
        })
    }
    await using fetch = openFetch(createMemoryBlockStore(), watched)
    const read = [fetch.fetch(PARENT_CID), fetch.fetch(LEAF_CID)]
    arrive(fetch, PARENT_CID, { bytes: PARENT, below: [LEAF_CID] })
    arrive(fetch, LEAF_CID, { bytes: LEAF, below: [] })
    await Promise.all(read)
    await clock.advance(1_000)
    assert.equal(sweeps, 0)
    fetch.onBelow(SOURCE, [stepKey(OTHER_CID)])
    await clock.advance(1_000)
    assert.ok(sweeps > 0)
  })

  it('stores a lone block at once for who waits for no more', async () => {
    const store = createMemoryBlockStore()
    await using fetch = openFetch(store)
    const brought = fetch.bring(LEAF_CID)
    arrive(fetch, LEAF_CID, { bytes: LEAF, below: [] })
    assert.equal(await brought, true)
    assert.equal(await store.has(LEAF_CID), true)
  })

  it('stores a block as it came when it comes again while it is being stored', async () => {
    const { store, intact, write } = slowStore()
    await using fetch = openFetch(store)
    let isStored = false
    void fetch.bring(LEAF_CID).then((isHere) => (isStored = isHere))
    arrive(fetch, LEAF_CID, { bytes: LEAF, below: [] })
    const parent = fetch.fetch(PARENT_CID)
    arrive(fetch, PARENT_CID, { bytes: PARENT, below: [LEAF_CID] })
    arrive(fetch, LEAF_CID, { bytes: LEAF, below: [] })
    assert.ok(await parent)
    await write()
    if (fetch.brings(LEAF_CID)) void fetch.bring(LEAF_CID)
    await write()
    await write()
    assert.deepEqual([...new Set(intact)], [true], 'what was written')
    assert.equal(isStored, true, 'who waits hears of it')
    assert.deepEqual(await store.get(LEAF_CID), LEAF)
  })
})
