import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { silentLogger } from '#contracts'
import { blockKey, cidOf, RAW_CODEC } from '../../../content/cid.ts'
import { createFilePowers } from '../../../content/powers.ts'
import { openPackBlockStore } from '../../../content/store/pack-block-store.ts'
import type { BlockStore, BlockToPut } from '../../../content/block-store.ts'
import type { FilePowers, StoredFile } from '../../../content/files.ts'

/** Opens the store in a folder. */
export async function openIn(folder: string, files: FilePowers = createFilePowers()): Promise<BlockStore> {
  return await openPackBlockStore({ files, folder, logger: silentLogger })
}

/** The disk with some methods of its open files replaced. */
export function changedDisk(change: (file: StoredFile, path: string) => Partial<StoredFile>): FilePowers {
  const files = createFilePowers()
  return {
    ...files,
    openStored: async (path, how) => {
      const file = await files.openStored(path, how)
      return { ...file, ...change(file, path) }
    }
  }
}

/** What a full disk says. */
export function noSpace(): Error {
  return Object.assign(new Error('no space left'), { code: 'ENOSPC' })
}

/** A disk that has room for `bytesLeft` more bytes of blocks. */
export function smallDisk(bytesLeft: number): FilePowers {
  let left = bytesLeft
  return changedDisk((file) => ({
    writeAt: async (parts, position) => {
      const all = Buffer.concat(parts)
      const fits = Math.min(left, all.length)
      left -= fits
      await file.writeAt([all.subarray(0, fits)], position)
      if (fits < all.length) throw noSpace()
    }
  }))
}

/** The paths of the packs in the folder of a store. */
export async function packsIn(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'packs'))
  return names.filter((name) => name.endsWith('.pack')).map((name) => join(folder, 'packs', name))
}

/** The path of the one pack there is. */
export async function onlyPack(folder: string): Promise<string> {
  const [path, ...others] = await packsIn(folder)
  assert.deepEqual(others, [])
  return path ?? ''
}

/** A block of these bytes. */
export function blockOf(bytes: Uint8Array): BlockToPut {
  return { cid: cidOf(RAW_CODEC, bytes), bytes }
}

/** Blocks of random bytes. */
export function blocks(count: number, length: number): BlockToPut[] {
  return Array.from({ length: count }, () => blockOf(randomBytes(length)))
}

/** Fails unless the store gives every one of these. */
export async function assertHas(store: BlockStore, expected: Iterable<BlockToPut>): Promise<void> {
  for (const { cid, bytes } of expected) {
    const found = await store.get(cid)
    // Compared without telling the difference: that of large blocks takes all memory.
    assert.ok(found !== undefined && Buffer.compare(found, bytes) === 0, cid.toString())
  }
}

/** What the store lists, sorted. */
export async function listed(store: BlockStore): Promise<string[]> {
  return (await Array.fromAsync(store.list())).map(String).sort()
}

/** Never aborts. */
export const signal: AbortSignal = new AbortController().signal

/** A sweep that keeps these. */
export function keeping(cids: readonly BlockToPut[]): {
  isKept: (cid: CID) => Promise<boolean>
  signal: AbortSignal
} {
  const kept = new Set(cids.map(({ cid }) => blockKey(cid)))
  return { isKept: async (cid) => await Promise.resolve(kept.has(blockKey(cid))), signal }
}

/** Changes one bit of a file. */
export async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path)
  content[at] = (content[at] ?? 0) ^ 1
  await writeFile(path, content)
}
