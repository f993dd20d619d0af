import assert from 'node:assert/strict'
import { silentLogger, systemClock } from '#contracts'
import { cidOf, createMemoryBlockStore, RAW_CODEC } from '#content'
import type { BlockExchange } from '#content'
import { createBlockSource } from '../../../content/block-source.ts'
import type { BlockReader, BlockSourceComponents } from '../../../content/block-source.ts'
import type { DagFetch, DagStreams } from '../../../content/stream/index.ts'

const [ROOT_BYTES, LEAF_BYTES] = [Uint8Array.of(1), Uint8Array.of(2)]
const [ROOT, LEAF] = [cidOf(RAW_CODEC, ROOT_BYTES), cidOf(RAW_CODEC, LEAF_BYTES)]

/** Nobody has anything. */
const exchange: BlockExchange = {
  verifiesBlocks: true,
  createSession: () => ({
    fetch: async () => await Promise.reject(new Error('nobody has it')),
    report: () => ({ providersFound: 0, peersAsked: 0, peersUnreachable: 0, hasRouting: true })
  }),
  fetch: async () => await Promise.reject(new Error('nobody has it')),
  notify: () => undefined
}

/** A stream that brings the root, expects the leaf because of it, and then nothing. */
function createFetch(): ReturnType<DagStreams['createFetch']> {
  const fetch: Pick<
    DagFetch,
    'take' | 'expects' | 'brings' | 'fetch' | 'bring' | 'follow' | typeof Symbol.asyncDispose
  > = {
    take: () => undefined,
    expects: (cid) => cid.equals(LEAF),
    brings: (cid) => cid.equals(LEAF),
    bring: async (cid) => await Promise.resolve(cid.equals(ROOT)),
    fetch: async (cid) => await Promise.resolve(cid.equals(ROOT) ? ROOT_BYTES : undefined),
    follow: () => undefined,
    [Symbol.asyncDispose]: async () => await Promise.resolve()
  }
  return fetch as DagFetch
}

function read(o: Pick<BlockSourceComponents, 'store' | 'streams'>): BlockReader {
  const components = { ...o, exchange, isDenied: () => false, clock: systemClock, logger: silentLogger }
  const source = createBlockSource(components, { findTimeoutMs: 60_000, stallTimeoutMs: 60_000 })
  return source.read({ root: ROOT, signal: new AbortController().signal })
}

describe('a reading of blocks', () => {
  it('finds a block here that a stream was to bring and did not', async () => {
    const store = createMemoryBlockStore()
    await store.put(LEAF, LEAF_BYTES)
    await using reader = read({ store, streams: { createFetch } })
    assert.deepEqual(await reader.get(ROOT), ROOT_BYTES)
    assert.deepEqual(await reader.get(LEAF), LEAF_BYTES)
  })

  it('brings a block from here, from a stream, or from the exchange', async () => {
    const store = createMemoryBlockStore()
    await store.put(LEAF, LEAF_BYTES)
    await using reader = read({ store, streams: { createFetch } })
    await reader.bring(ROOT)
    await reader.bring(LEAF)
    const other = cidOf(RAW_CODEC, Uint8Array.of(3))
    await assert.rejects(reader.bring(other), { message: 'nobody has it' })
    await store.put(other, Uint8Array.of(3))
    await reader.bring(other)
  })

  it('starts no stream once it has ended', async () => {
    const looked = Promise.withResolvers<undefined>()
    const store = { ...createMemoryBlockStore(), get: async () => await looked.promise }
    let started = 0
    const streams = {
      createFetch: () => {
        started++
        return createFetch()
      }
    }
    const reader = read({ store, streams })
    const got = reader.get(ROOT)
    const ended = reader[Symbol.asyncDispose]()
    looked.resolve(undefined)
    await assert.rejects(got, { code: 'ERR_CONTENT_CLOSED' })
    await ended
    assert.equal(started, 0)
  })
})
