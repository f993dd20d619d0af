import type { CID } from 'multiformats/cid'
import { DEPTH_MAX, LINK_TARGET_BYTES_MAX } from '../constants.ts'
import { checkName } from '../entry-name.ts'
import { ContentError } from '../errors.ts'
import type { TreeEvent } from '../tree-reader.ts'
import { SEALED_PATH_BYTES_MAX, SEALED_RECORD_BYTES } from './constants.ts'

const KINDS = { end: 0, folder: 1, file: 2, link: 3 } as const

/** How far an archive is read. */
export interface ArchiveInit {
  /** Stands for the CIDs that its entries do not have. */
  readonly cid: CID
  readonly platform: string
  /** Bytes of all files together at most. */
  readonly bytesMax: number
  /** Files, folders and links at most. */
  readonly entriesMax: number
}

/** A tree as one row of bytes: each entry's kind, path and size, and after a file its bytes. */
export async function* encodeArchive(tree: AsyncIterable<TreeEvent>): AsyncGenerator<Uint8Array> {
  for await (const event of tree) yield event.kind === 'data' ? event.bytes : headOf(event)
  yield Uint8Array.of(KINDS.end)
}

function headOf(event: Exclude<TreeEvent, { readonly kind: 'data' }>): Uint8Array {
  const path = Buffer.from(event.path.join('/'))
  const head = Buffer.alloc(3)
  head[0] = KINDS[event.kind]
  head.writeUInt16BE(path.length, 1)
  if (event.kind === 'folder') return Buffer.concat([head, path])
  const target = Buffer.from(event.kind === 'link' ? event.target : '')
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(event.kind === 'file' ? event.bytes : target.length))
  return Buffer.concat([head, path, size, target])
}

/**
 * The tree that {@link encodeArchive} wrote. Whoever sealed it may be a stranger: names must be safe, a folder comes before
 * what is in it, and sizes and counts have their limits.
 *
 * @throws ContentError `ERR_SEALED_INVALID`, `ERR_PATH_UNSAFE`, `ERR_CONTENT_TOO_LARGE`, and whatever `bytes` throws
 */
export async function* decodeArchive(
  bytes: AsyncIterable<Uint8Array>,
  init: ArchiveInit
): AsyncGenerator<TreeEvent> {
  await using source = new Bytes(bytes)
  const entries = new Entries(init)
  for (;;) {
    const kind = (await source.take(1))[0]
    if (kind === KINDS.end) break
    const path = entries.pathOf(await source.text(2, SEALED_PATH_BYTES_MAX))
    if (kind === KINDS.folder) yield entries.folder(path)
    else if (kind === KINDS.link)
      yield entries.entry({ kind: 'link', path, target: await source.text(8, LINK_TARGET_BYTES_MAX) })
    else if (kind === KINDS.file) {
      const size = await source.size(8)
      yield entries.entry({ kind: 'file', path, bytes: size })
      for (let at = 0; at < size;) {
        const data = await source.some(size - at)
        yield { kind: 'data', bytes: data, at }
        at += data.length
      }
    } else throw invalid('an entry is neither file, folder nor link')
  }
  if (entries.count === 0) throw invalid('it is empty')
  await source.end(SEALED_RECORD_BYTES)
}

type Entry =
  | { readonly kind: 'file'; readonly path: readonly string[]; readonly bytes: number }
  | { readonly kind: 'link'; readonly path: readonly string[]; readonly target: string }

/** The entries so far, as far as the next ones depend on them. */
class Entries {
  readonly #init: ArchiveInit
  readonly #folders = new Set<string>()
  #bytes = 0
  count = 0

  constructor(init: ArchiveInit) {
    this.#init = init
  }

  pathOf(text: string): string[] {
    const path = text === '' ? [] : text.split('/')
    if (++this.count > this.#init.entriesMax) throw tooLarge(`more than ${this.#init.entriesMax} entries`)
    if (path.length > DEPTH_MAX) throw tooLarge(`more than ${DEPTH_MAX} folders deep`)
    for (const name of path) checkName(name, this.#init.platform)
    const isInside = path.length > 0 && this.#folders.has(path.slice(0, -1).join('/'))
    const isPlaced = this.count === 1 ? path.length === 0 : isInside
    if (!isPlaced) throw invalid('an entry is in no folder of it')
    return path
  }

  folder(path: readonly string[]): TreeEvent {
    this.#folders.add(path.join('/'))
    return { kind: 'folder', path, cid: this.#init.cid, bytes: undefined }
  }

  entry(entry: Entry): TreeEvent {
    this.#bytes += entry.kind === 'file' ? entry.bytes : 0
    if (this.#bytes > this.#init.bytesMax) throw tooLarge(`more than ${this.#init.bytesMax} bytes`)
    return { ...entry, cid: this.#init.cid }
  }
}

/** Bytes that come in chunks of any length. */
class Bytes implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array()

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** At least one byte, at most `max`. */
  async some(max: number): Promise<Uint8Array> {
    if (!(await this.#fill())) throw invalid('it ends in an entry')
    const taken = this.#chunk.subarray(0, max)
    this.#chunk = this.#chunk.subarray(taken.length)
    return taken
  }

  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (let left = length; left > 0;) {
      const part = await this.some(left)
      parts.push(part)
      left -= part.length
    }
    return Buffer.concat(parts)
  }

  /** A number of `width` bytes, the highest first. */
  async size(width: number): Promise<number> {
    const size = Number(`0x${Buffer.from(await this.take(width)).toString('hex')}`)
    if (!Number.isSafeInteger(size)) throw invalid('a size is no size')
    return size
  }

  /** UTF-8 after its length, which is a number of `width` bytes. */
  async text(width: number, bytesMax: number): Promise<string> {
    const length = await this.size(width)
    if (length > bytesMax) throw invalid('a text is too long')
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await this.take(length))
    } catch (cause) {
      if (cause instanceof ContentError) throw cause
      throw invalid('a text is not UTF-8')
    }
  }

  /** Reads to the end, which comes within `max` bytes: what is cut off there is noticed. */
  async end(max: number): Promise<void> {
    let left = max
    while (await this.#fill()) {
      left -= this.#chunk.length
      this.#chunk = new Uint8Array()
      if (left < 0) throw invalid('there is more after its end')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return false
      this.#chunk = next.value
    }
    return true
  }
}

function invalid(why: string): ContentError {
  return new ContentError('ERR_SEALED_INVALID', `expected sealed content: ${why}`)
}

function tooLarge(what: string): ContentError {
  return new ContentError('ERR_CONTENT_TOO_LARGE', `the sealed content has ${what}`)
}
