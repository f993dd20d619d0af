import { checkBlock } from './block-store.ts'
import { blockKey, checkCid, cidFromBlockKey, inlineBlock } from './cid.ts'
import type { BlockStore, PutOptions } from './block-store.ts'

/** A block store in memory, for simulation and tests; it loses everything when it is dropped. */
export function createMemoryBlockStore(): BlockStore {
  const blocks = new Map<string, Uint8Array>()
  return {
    has: async (cid) => await Promise.resolve(inlineBlock(cid) !== undefined || blocks.has(blockKey(cid))),
    get: async (cid) => {
      checkCid(cid)
      return await Promise.resolve(inlineBlock(cid) ?? blocks.get(blockKey(cid)))
    },
    put: async (cid, bytes, { isVerified = false }: PutOptions = {}) => {
      checkBlock(cid, bytes, isVerified)
      if (inlineBlock(cid) === undefined) blocks.set(blockKey(cid), new Uint8Array(bytes))
      await Promise.resolve()
    },
    putMany: async function (many) {
      let count = 0
      for await (const { cid, bytes, isVerified = false } of many) {
        await this.put(cid, bytes, { isVerified })
        count++
      }
      return count
    },
    getMany: async function* (cids) {
      for (const cid of cids) yield { cid, bytes: await this.get(cid) }
    },
    sizeOf: async (cid) => await Promise.resolve((inlineBlock(cid) ?? blocks.get(blockKey(cid)))?.length),
    hold: () => ({ [Symbol.dispose]: () => undefined }),
    delete: async (cid) => {
      blocks.delete(blockKey(cid))
      await Promise.resolve()
    },
    list: async function* () {
      for (const key of [...blocks.keys()]) {
        const cid = cidFromBlockKey(key)
        if (cid !== undefined) yield await Promise.resolve(cid)
      }
    },
    flush: async () => await Promise.resolve(),
    [Symbol.asyncDispose]: async () => await Promise.resolve()
  }
}
