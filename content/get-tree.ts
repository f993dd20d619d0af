import { normalize } from 'node:path'
import type { CID } from 'multiformats/cid'
import { parseCidPath } from './cid.ts'
import { ENTRIES_MAX, GET_BYTES_MAX } from './constants.ts'
import { printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { checkOutput, writeTree } from './output-tree.ts'
import { resolvePath } from './resolve-path.ts'
import { clippedFile, partOf } from './read-tree.ts'
import { openTree, splitLink } from './sealed/index.ts'
import { readTree } from './tree-reader.ts'
import type { BlockSource } from './block-source.ts'
import type { ByteSpan, GetOptions, GetProgress, GetResult } from './content.ts'
import type { FilePowers } from './files.ts'
import type { TreeEvent } from './tree-reader.ts'
import type { UnfinishedGets } from './unfinished-gets.ts'

/** What trees are got with. */
export interface TreeGetterComponents {
  files: FilePowers
  source: BlockSource
  unfinished: UnfinishedGets
}

/** Writes fetched trees to the disk, one get an output at a time. */
export class TreeGetter {
  readonly #components: TreeGetterComponents
  readonly #outputs = new Set<string>()

  constructor(components: TreeGetterComponents) {
    this.#components = components
  }

  /** See `Content.get`; `signal` ends it. */
  async get(cidPath: string, options: GetOptions, signal: AbortSignal): Promise<GetResult> {
    const { cidPath: path, key } = splitLink(cidPath)
    const { cid: root, names } = parseCidPath(path)
    const { force = false, range } = options
    if (key !== undefined && (names.length > 0 || range !== undefined)) {
      throw new ContentError(
        'ERR_PATH_INVALID',
        'expected a link without a path: what is sealed is got whole'
      )
    }
    const output = normalize(options.output)
    if (this.#outputs.has(output)) {
      throw new ContentError('ERR_OUTPUT_BUSY', `another get writes to ${output} now`)
    }
    this.#outputs.add(output)
    try {
      await checkOutput({ files: this.#components.files, output, force })
      return await this.#fetch({ root, names, key, options: { ...options, output }, signal })
    } finally {
      this.#outputs.delete(output)
    }
  }

  async #fetch(o: {
    root: CID
    names: readonly string[]
    key: Uint8Array | undefined
    options: GetOptions
    signal: AbortSignal
  }): Promise<GetResult> {
    const { files, source, unfinished } = this.#components
    const { output, force = false, bytesMax = GET_BYTES_MAX, range } = o.options
    // Blocks are worth keeping for the next try once there are some, from this get or one before.
    let isWorthKeeping = await unfinished.begin(o.root)
    let isWhole = false
    try {
      await using reader = source.read({
        root: o.root,
        signal: o.signal,
        onFetched: () => (isWorthKeeping = true)
      })
      const fetch = async (cid: CID): Promise<Uint8Array> => await reader.get(cid)
      const part = partOf(o.names, range)
      if (part === undefined) reader.follow(o.root)
      else reader.lead(part)
      const cid = await resolvePath(o.root, o.names, fetch)
      if (range === undefined) reader.follow(cid)
      const progress = new Progress(o.options.onProgress, () => reader.fetchedCount)
      const limits = { platform: files.platform, bytesMax, entriesMax: ENTRIES_MAX }
      const tree = readTree(cid, {
        ...{ ...limits, fetch, range: part?.range, withData: true },
        // of what is sealed the files inside count
        ...(o.key === undefined ? {} : { bytesMax: Infinity })
      })
      const inside =
        o.key === undefined ? clippedTo(tree, range) : openTree(tree, { ...limits, cid, key: o.key })
      const written = await writeTree(inside, {
        files,
        output,
        force,
        // what is left of one range is no beginning of another
        label: range === undefined ? cid.toString() : `${cid.toString()}.${range.offset}-${range.length}`,
        onEvent: (event) => progress.take(event)
      })
      isWhole = true
      // What came last is stored, and counted, at the end of the reading.
      await reader[Symbol.asyncDispose]()
      return { cid, output, ...written, blocksFetched: reader.fetchedCount }
    } finally {
      if (isWhole || !isWorthKeeping) await unfinished.end(o.root)
    }
  }
}

function clippedTo(tree: AsyncIterable<TreeEvent>, range: ByteSpan | undefined): AsyncIterable<TreeEvent> {
  return range === undefined ? tree : clippedFile(tree, range)
}

class Progress {
  readonly #report: GetOptions['onProgress']
  readonly #fetched: () => number
  #now: { -readonly [K in keyof GetProgress]: GetProgress[K] } = {
    bytes: 0,
    bytesTotal: undefined,
    files: 0,
    blocksFetched: 0,
    path: ''
  }

  constructor(report: GetOptions['onProgress'], fetched: () => number) {
    this.#report = report
    this.#fetched = fetched
  }

  take(event: TreeEvent): void {
    if (this.#report === undefined) return
    if (event.kind === 'data') this.#now.bytes += event.bytes.length
    else {
      if (event.path.length === 0 && event.kind !== 'link') this.#now.bytesTotal = event.bytes
      if (event.kind !== 'folder') this.#now.files++
      this.#now.path = event.path.map(printableName).join('/')
    }
    this.#report({ ...this.#now, blocksFetched: this.#fetched() })
  }
}
