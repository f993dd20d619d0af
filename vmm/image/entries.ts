import {
  VM_IMAGE_BYTES_MAX,
  VM_IMAGE_ENTRIES_MAX,
  VM_IMAGE_NAME_BYTES_MAX,
  VM_IMAGE_PATH_BYTES_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'

/** A file, folder or link of an image. What it does not hold (owner, times, other modes) an image does not tell. */
export type ImageEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'file'
      /** From the root, without a slash at either end. */
      readonly path: string
      readonly bytes: number
      readonly isExecutable: boolean
      /** Its content, exactly `bytes` of it. */
      content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
    }

/** A file, folder or link with what lies in it, by name in the order of bytes. */
export interface ImageNode {
  readonly name: string
  readonly entry: ImageEntry
  readonly parent: ImageNode | undefined
  readonly children: ImageNode[]
}

/**
 * Arranges entries, in whatever order they come, as a tree with the folders that are on the way.
 *
 * @throws VmmError `ERR_VM_IMAGE` for a path that is not plain or comes twice, something below a file, or too much of it all
 */
export function imageTree(entries: Iterable<ImageEntry>): ImageNode {
  const root: ImageNode = { name: '', entry: { kind: 'folder', path: '' }, parent: undefined, children: [] }
  const nodes = new Map<string, ImageNode>([['', root]])
  const add = (entry: ImageEntry): ImageNode => {
    const slash = entry.path.lastIndexOf('/')
    const folder = slash === -1 ? '' : entry.path.slice(0, slash)
    const parent = nodes.get(folder) ?? add({ kind: 'folder', path: folder })
    if (parent.entry.kind !== 'folder') throw refusal(`nothing below the file ${folder}`)
    const node = { name: entry.path.slice(slash + 1), entry, parent, children: [] }
    parent.children.push(node)
    nodes.set(entry.path, node)
    if (nodes.size > VM_IMAGE_ENTRIES_MAX) throw refusal(`at most ${VM_IMAGE_ENTRIES_MAX} entries`)
    return node
  }
  let bytes = 0
  for (const entry of entries) {
    checkEntry(entry)
    bytes += entry.kind === 'file' ? entry.bytes : 0
    if (bytes > VM_IMAGE_BYTES_MAX) throw refusal(`at most ${VM_IMAGE_BYTES_MAX} bytes`)
    const known = nodes.get(entry.path)
    if (known === undefined) add(entry)
    else if (known.entry.kind !== 'folder' || entry.kind !== 'folder') throw refusal(`${entry.path} once`)
  }
  for (const { children } of nodes.values()) children.sort((a, b) => compareBytes(a.name, b.name))
  return root
}

/** The order of an image's names: by the bytes of their UTF-8. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function checkEntry(entry: ImageEntry): void {
  const names = entry.path.split('/')
  const isPlain = names.every((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0'))
  if (!isPlain || !entry.path.isWellFormed()) throw refusal(`a plain path, got ${JSON.stringify(entry.path)}`)
  if (names.some((name) => Buffer.byteLength(name) > VM_IMAGE_NAME_BYTES_MAX)) {
    throw refusal(`names of at most ${VM_IMAGE_NAME_BYTES_MAX} bytes`)
  }
  if (Buffer.byteLength(entry.path) > VM_IMAGE_PATH_BYTES_MAX) {
    throw refusal(`paths of at most ${VM_IMAGE_PATH_BYTES_MAX} bytes`)
  }
  if (
    entry.kind === 'file' &&
    !(Number.isSafeInteger(entry.bytes) && entry.bytes >= 0 && entry.bytes < 2 ** 32)
  ) {
    throw refusal(`files below 4 GiB, ${entry.path} has ${entry.bytes} bytes`)
  }
  if (entry.kind !== 'link') return
  const bytes = Buffer.byteLength(entry.target)
  if (bytes === 0 || bytes > VM_IMAGE_PATH_BYTES_MAX || entry.target.includes('\0')) {
    throw refusal(`a link that leads somewhere, ${entry.path} does not`)
  }
}

function refusal(expected: string): VmmError {
  return new VmmError('ERR_VM_IMAGE', `expected in an image ${expected}`)
}
