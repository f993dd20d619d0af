import type { CID } from 'multiformats/cid'
import { DEPTH_MAX, ENTRIES_MAX } from './constants.ts'
import { printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { resolvePath } from './resolve-path.ts'
import { readTree } from './tree-reader.ts'
import type { BlockReader } from './block-source.ts'
import type { Entry } from './content.ts'

interface Target {
  reader: BlockReader
  root: CID
  /** Names joined by `/`, or empty. */
  path: string
}

async function targetOf({ reader, root, path }: Target): Promise<{ cid: CID; names: readonly string[] }> {
  const names = path === '' ? [] : path.split('/')
  if (names.some((name) => name === '' || name === '.' || name === '..') || names.length > DEPTH_MAX) {
    throw new ContentError('ERR_PATH_INVALID', `expected names joined by / and got "${printableName(path)}"`)
  }
  return { cid: await resolvePath(root, names, async (cid) => await reader.get(cid)), names }
}

/**
 * The bytes of one file, or those of a range of it as far as it goes.
 *
 * @throws ContentError `ERR_NOT_A_FILE`, `ERR_CONTENT_TOO_LARGE`, `ERR_ENTRY_NOT_FOUND`, and what a reader throws
 */
export async function readFile(
  o: Target & { bytesMax: number; range?: { offset: number; length: number } | undefined }
): Promise<Uint8Array> {
  const { cid } = await targetOf(o)
  const range = o.range && { from: o.range.offset, to: o.range.offset + o.range.length }
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
  for await (const event of tree) {
    if (event.kind === 'data') {
      const { bytes, at } = event
      const { from, to } = range ?? { from: 0, to: Infinity }
      chunks.push(bytes.subarray(Math.max(0, from - at), Math.max(0, to - at)))
    } else if (event.kind !== 'file') {
      throw new ContentError('ERR_NOT_A_FILE', `expected a file at ${cid.toString()} and got a ${event.kind}`)
    }
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
