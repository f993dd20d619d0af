import type { CID } from 'multiformats/cid'
import { DEPTH_MAX, ENTRIES_MAX } from './constants.ts'
import { printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { resolvePath } from './resolve-path.ts'
import { readTree } from './tree-reader.ts'
import type { BlockReader } from './block-source.ts'
import type { ByteSpan, Entry } from './content.ts'
import type { AskedPart } from './stream/index.ts'
import type { TreeEvent } from './tree-reader.ts'

interface Target {
  reader: BlockReader
  root: CID
  /** Names joined by `/`, or empty. */
  path: string
}

/** What of a DAG is read; `undefined`: all of it. */
export function partOf(names: readonly string[], range: ByteSpan | undefined): AskedPart | undefined {
  if (names.length === 0 && range === undefined) return undefined
  // an ask cannot say that it wants nothing
  if (range === undefined || range.length <= 0) return { path: names }
  // to the end, as callers say it, is no number that an ask can name
  const to = Math.min(range.offset + range.length, Number.MAX_SAFE_INTEGER)
  return { path: names, range: { from: range.offset, to } }
}

/**
 * The one file of a tree, of its bytes only those of the range, where the tree was read with it.
 *
 * @throws ContentError `ERR_NOT_A_FILE`
 */
export async function* clippedFile(
  tree: AsyncIterable<TreeEvent>,
  { offset, length }: ByteSpan
): AsyncGenerator<TreeEvent> {
  for await (const event of tree) {
    if (event.kind === 'data') {
      const { at } = event
      const bytes = event.bytes.subarray(Math.max(0, offset - at), Math.max(0, offset + length - at))
      if (bytes.length > 0) yield { ...event, bytes }
    } else if (event.kind === 'file' && event.path.length === 0)
      yield { ...event, bytes: Math.max(0, Math.min(length, event.bytes - offset)) }
    else
      throw new ContentError(
        'ERR_NOT_A_FILE',
        `expected a file, got a ${event.kind} at ${event.cid.toString()}`
      )
  }
}

async function targetOf(
  { reader, root, path }: Target,
  range?: ByteSpan
): Promise<{ cid: CID; names: readonly string[] }> {
  const names = path === '' ? [] : path.split('/')
  if (names.some((name) => name === '' || name === '.' || name === '..') || names.length > DEPTH_MAX) {
    throw new ContentError('ERR_PATH_INVALID', `expected names joined by / and got "${printableName(path)}"`)
  }
  const part = partOf(names, range)
  if (part !== undefined) reader.lead(part)
  return { cid: await resolvePath(root, names, async (cid) => await reader.get(cid)), names }
}

/**
 * The bytes of one file, or those of a range of it as far as it goes.
 *
 * @throws ContentError `ERR_NOT_A_FILE`, `ERR_CONTENT_TOO_LARGE`, `ERR_ENTRY_NOT_FOUND`, and what a reader throws
 */
export async function readFile(
  o: Target & { bytesMax: number; range?: ByteSpan | undefined }
): Promise<Uint8Array> {
  const { cid } = await targetOf(o, o.range)
  if (o.range === undefined) o.reader.follow(cid)
  const range = partOf([], o.range)?.range
  const chunks: Uint8Array[] = []
  const tree = readTree(cid, {
    fetch: async (block) => await o.reader.get(block),
    platform: '',
    bytesMax: o.bytesMax,
    range,
    entriesMax: 1,
    withData: true,
    levelsMax: 0
  })
  for await (const event of clippedFile(tree, o.range ?? { offset: 0, length: Infinity })) {
    if (event.kind === 'data') chunks.push(event.bytes)
  }
  return Buffer.concat(chunks)
}

/** The entries of a folder, or the one file or link that is there. */
export async function* listTree(o: Target & { platform: string }): AsyncGenerator<Entry> {
  const { cid: root, names } = await targetOf(o)
  const tree = readTree(root, {
    fetch: async (block) => await o.reader.get(block),
    platform: o.platform,
    bytesMax: Infinity,
    entriesMax: ENTRIES_MAX,
    withData: false,
    levelsMax: 1
  })
  for await (const event of tree) {
    if (event.kind === 'data') continue
    const isRoot = event.path.length === 0
    if (isRoot && event.kind === 'folder') continue
    const name = event.path.at(-1) ?? names.at(-1) ?? ''
    yield {
      path: event.path.map(printableName).join('/'),
      name,
      kind: event.kind,
      cid: event.cid,
      bytes: event.kind === 'link' ? undefined : event.bytes,
      target: event.kind === 'link' ? event.target : undefined
    }
  }
}

/**
 * Every file below a folder, each whole in memory. A package is for every system: its names obey the strictest
 * rules, and links are refused.
 *
 * @throws ContentError `ERR_NOT_A_FOLDER`, `ERR_PATH_UNSAFE`, `ERR_CONTENT_TOO_LARGE`, and what a reader throws
 */
export async function* readFiles(o: {
  reader: BlockReader
  root: CID
  bytesMax: number
  filesMax: number
}): AsyncGenerator<{ readonly path: string; readonly content: Uint8Array }> {
  o.reader.follow(o.root)
  const tree = readTree(o.root, {
    fetch: async (block) => await o.reader.get(block),
    platform: 'win32',
    bytesMax: o.bytesMax,
    // Folders count as well; a folder a file, and the root, is room enough for any sensible package.
    entriesMax: 2 * o.filesMax + 1,
    withData: true
  })
  let open: { path: string; chunks: Uint8Array[] } | undefined
  let files = 0
  const whole = (file: { path: string; chunks: Uint8Array[] }): { path: string; content: Uint8Array } => ({
    path: file.path,
    content: Buffer.concat(file.chunks)
  })
  for await (const event of tree) {
    if (event.kind === 'data') {
      open?.chunks.push(event.bytes)
      continue
    }
    if (event.path.length === 0 && event.kind !== 'folder') {
      throw new ContentError(
        'ERR_NOT_A_FOLDER',
        `expected a folder at ${o.root.toString()} and got a ${event.kind}`
      )
    }
    if (event.kind === 'link') {
      throw new ContentError('ERR_PATH_UNSAFE', `expected files and folders only and got a link`)
    }
    if (open !== undefined) yield whole(open)
    open = undefined
    if (event.kind !== 'file') continue
    if (++files > o.filesMax) {
      throw new ContentError('ERR_CONTENT_TOO_LARGE', `expected at most ${o.filesMax} files`)
    }
    open = { path: event.path.join('/'), chunks: [] }
  }
  if (open !== undefined) yield whole(open)
}
