import { FileError } from '../files/errors.ts'
import { encodeRef, readRef, REF_BYTES, type BlockRef } from './block.ts'

/** A page of keys and their values, in the order of the keys. */
export interface Leaf {
  readonly level: 0
  keys: string[]
  values: Uint8Array[]
}

/** A page of pages: `keys[i]` is no greater than any key under `children[i]`, and greater than any before. */
export interface Branch {
  readonly level: number
  keys: string[]
  children: Child[]
}

/** A page in memory. */
export type Page = Leaf | Branch

/** A page on the disk, or one that was changed and has to be written. */
export type Child = BlockRef | Page

const HEAD_BYTES = 3

/** True for a page in memory. */
export function isPage(child: Child): child is Page {
  return 'keys' in child
}

/** True for a page of values. */
export function isLeaf(page: Page): page is Leaf {
  return page.level === 0
}

/** Bytes a page takes when it is written. */
export function pageBytes(page: Page): number {
  let bytes = HEAD_BYTES
  for (const key of page.keys) bytes += 2 + key.length
  if (!isLeaf(page)) return bytes + page.children.length * REF_BYTES
  for (const value of page.values) bytes += 2 + value.byteLength
  return bytes
}

/** A page that can be changed without changing this one. */
export function copyPage(page: Page): Page {
  if (isLeaf(page)) return { level: 0, keys: [...page.keys], values: [...page.values] }
  return { level: page.level, keys: [...page.keys], children: [...page.children] }
}

/** Cuts a page in two of about the same size; the first stays in `page`, the second is returned. */
export function splitPage(page: Page): Page {
  const half = pageBytes(page) / 2
  let bytes = HEAD_BYTES
  let at = 0
  while (at < page.keys.length - 1 && (bytes < half || at === 0)) {
    bytes += 2 + (page.keys[at]?.length ?? 0) + itemBytes(page, at)
    at++
  }
  const keys = page.keys.splice(at)
  if (isLeaf(page)) return { level: 0, keys, values: page.values.splice(at) }
  return { level: page.level, keys, children: page.children.splice(at) }
}

function itemBytes(page: Page, at: number): number {
  return isLeaf(page) ? 2 + (page.values[at]?.byteLength ?? 0) : REF_BYTES
}

/** Appends to `left` all that is in `right`, a page of the same level. */
export function joinPages(left: Page, right: Page): void {
  left.keys.push(...right.keys)
  if (isLeaf(left) && isLeaf(right)) left.values.push(...right.values)
  else if (!isLeaf(left) && !isLeaf(right)) left.children.push(...right.children)
}

/** Writes a page whose children are all on the disk. */
export function encodePage(page: Page): Uint8Array {
  const bytes = Buffer.alloc(pageBytes(page))
  bytes.writeUInt8(page.level, 0)
  bytes.writeUInt16BE(page.keys.length, 1)
  let offset = HEAD_BYTES
  page.keys.forEach((key, at) => {
    offset = bytes.writeUInt16BE(key.length, offset)
    offset += bytes.write(key, offset, 'latin1')
    if (isLeaf(page)) {
      const value = page.values[at] ?? new Uint8Array(0)
      offset = bytes.writeUInt16BE(value.byteLength, offset)
      bytes.set(value, offset)
      offset += value.byteLength
    } else {
      const child = page.children[at]
      if (child === undefined || isPage(child)) throw new Error('expected the pages below to be written')
      bytes.set(encodeRef(child), offset)
      offset += REF_BYTES
    }
  })
  return bytes
}

/** Reads {@link encodePage}. @throws FileError `ERR_FILE_CORRUPT` */
export function decodePage(plain: Uint8Array): Page {
  const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)
  try {
    return decode(bytes)
  } catch (cause) {
    throw new FileError('ERR_FILE_CORRUPT', 'expected a page of the vault, got other bytes', { cause })
  }
}

function decode(bytes: Buffer): Page {
  const level = bytes.readUInt8(0)
  const count = bytes.readUInt16BE(1)
  const keys: string[] = []
  const values: Uint8Array[] = []
  const children: Child[] = []
  let offset = HEAD_BYTES
  for (let at = 0; at < count; at++) {
    const keyEnd = offset + 2 + bytes.readUInt16BE(offset)
    keys.push(bytes.toString('latin1', offset + 2, keyEnd))
    offset = keyEnd
    if (level === 0) {
      const valueEnd = offset + 2 + bytes.readUInt16BE(offset)
      values.push(Uint8Array.from(bytes.subarray(offset + 2, valueEnd)))
      offset = valueEnd
    } else {
      const ref = readRef(bytes, offset)
      if (ref === undefined) throw new Error('expected a page below')
      children.push(ref)
      offset += REF_BYTES
    }
  }
  if (offset !== bytes.length) throw new Error('expected the page to end')
  return level === 0 ? { level, keys, values } : { level, keys, children }
}
