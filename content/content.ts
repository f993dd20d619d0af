import type { CID } from 'multiformats/cid'
import type { Did } from '#did'
import type { AnnouncementCounts } from './announcer.ts'
import type { BitswapStats } from './bitswap/index.ts'
import type { CollectResult } from './collect-garbage.ts'
import type { DagBlock } from './dag-blocks.ts'
import type { FileEntry } from './file-entries.ts'
import type { FlowStatus } from './flow/index.ts'
import type { AddProgress, Skipped } from './local-tree.ts'
import type { Repo } from './repo.ts'

/** Who may be served what is added or pinned; without either it is public. */
export interface VisibilityOptions {
  /** True: no peer is served it and it is not announced. */
  private?: boolean
  /** Devices that may have it although it is private. */
  readers?: readonly Did[]
}

/** Options of {@link Content.add}. */
export interface AddOptions extends VisibilityOptions {
  /** Take files and folders whose name begins with a dot too. */
  hidden?: boolean
  /** Seal it under a key of its own: whoever is served it, or keeps it, cannot read it; {@link AddResult.link} can. */
  sealed?: boolean
  /** What the user calls it, shown in the list of pins. */
  name?: string
  onProgress?: (progress: AddProgress) => void
  signal?: AbortSignal
}

/** Whether the network knows that this node has a root. */
export type Announcement =
  | { readonly state: 'announced' }
  /** Not yet; it is tried again until it works. */
  | { readonly state: 'pending'; readonly reason: string }
  /** It is private, or content routing is off. */
  | { readonly state: 'off' }

/** What {@link Content.add} did. */
export interface AddResult {
  readonly cid: CID
  /** Bytes of the files. */
  readonly bytes: number
  readonly files: number
  /** What was left out, and why; at most 1000 are listed. */
  readonly skipped: readonly Skipped[]
  /** True: anyone with the CID can fetch it. Also when it was added privately but had been public before. */
  readonly isPublic: boolean
  /** Of sealed content: its CID and its key, which is nowhere else. Whoever has it can read the content. */
  readonly link: string | undefined
  readonly announcement: Announcement
}

/** How far a get has come. */
export interface GetProgress {
  /** Bytes of files written. */
  readonly bytes: number
  /** Bytes to come in all, where the root says so; a claim of whoever made the content. */
  readonly bytesTotal: number | undefined
  readonly files: number
  /** Blocks that came from peers. */
  readonly blocksFetched: number
  /** The file begun last, safe to print. */
  readonly path: string
}

/** Options of {@link Content.get}. */
export interface GetOptions {
  /** Where to write, absolute; its parent folder must exist. */
  output: string
  /** Replace what is at `output`. */
  force?: boolean
  /** Bytes to write at most; `GET_BYTES_MAX` when absent. */
  bytesMax?: number
  /** Only these bytes of a file, as far as it goes; only their blocks are fetched. */
  range?: ByteSpan
  onProgress?: (progress: GetProgress) => void
  signal?: AbortSignal
}

/** What {@link Content.get} did. */
export interface GetResult {
  /** What was written: the CID at the end of the path. */
  readonly cid: CID
  readonly output: string
  readonly bytes: number
  readonly files: number
  /** Blocks that came from peers; the others were here. */
  readonly blocksFetched: number
}

/** Options of {@link Content.pin}. */
export interface PinOptions extends VisibilityOptions {
  name?: string
  /** Bytes of blocks to fetch at most; without it, what there is. */
  bytesMax?: number
  onProgress?: (progress: { readonly blocks: number; readonly blocksFetched: number }) => void
  signal?: AbortSignal
}

/** Something that is kept. */
export interface Pin {
  readonly cid: CID
  /** `block`: one block of data, not what it links to. */
  readonly kind: 'dag' | 'block'
  readonly name: string | undefined
  readonly isPublic: boolean
  readonly readers: readonly Did[]
  readonly createdAtMs: number
  /** Bytes of its files where that was counted. */
  readonly bytes: number | undefined
}

/** An entry of a folder. */
export interface Entry {
  /** Below the folder listed; safe to print. */
  readonly path: string
  readonly name: string
  readonly kind: 'file' | 'folder' | 'link'
  readonly cid: CID
  /** Of a file; a claim of the folder's author where the file itself was not read. */
  readonly bytes: number | undefined
  /** Of a link. */
  readonly target: string | undefined
}

/** Limits of a reading. */
export interface ReadOptions {
  /** Bytes to read at most. */
  bytesMax: number
  signal?: AbortSignal
}

/** Some bytes of a file, in bytes from its beginning. */
export interface ByteSpan {
  readonly offset: number
  readonly length: number
}

/** Files, folders and blocks of this node and its peers. */
export interface Content extends AsyncDisposable {
  /**
   * Takes a local file or folder in, keeps it, and unless it is private lets anyone fetch it and announces it.
   *
   * @param path - absolute
   * @throws ContentError `ERR_PATH_…`, `ERR_CONTENT_TOO_LARGE`, `ERR_CONTENT_DENIED`, `ERR_DISK_FULL`, `ERR_STORE_IO`
   */
  add(path: string, options?: AddOptions): Promise<AddResult>
  /** As {@link Content.add}, of files that are not on a disk; the same files give the same CID in any order. */
  addFiles(entries: Iterable<FileEntry> | AsyncIterable<FileEntry>, options?: AddOptions): Promise<AddResult>
  /**
   * Writes what a CID, or an entry below it, holds to the disk, and fetches what is missing. What was fetched is
   * kept as a cache, never served. When it fails it goes on where it was the next time.
   *
   * @param cidPath - `CID`, `CID/a/b`, `/ipfs/CID/a/b` or `ipfs://CID/a/b`; of sealed content its link, `CID#KEY`
   * @throws ContentError `ERR_CID_…`, `ERR_SEALED_…`, `ERR_ENTRY_NOT_FOUND`, `ERR_OUTPUT_…`, `ERR_PATH_…`, `ERR_CONTENT_…`,
   *   `ERR_ROUTING_OFF`, `ERR_PROVIDER_UNREACHABLE`, `ERR_DAG_MALFORMED`, `ERR_BLOCK_…`, `ERR_DISK_FULL`
   */
  get(cidPath: string, options: GetOptions): Promise<GetResult>
  /**
   * The bytes of one file, or those of a range of it as far as it goes, for which only its blocks are read; `path` is `''`
   * or names joined by `/`.
   */
  read(cid: CID, path: string, options: ReadOptions & { range?: ByteSpan }): Promise<Uint8Array>
  /** The entries of a folder, or the one file that is there. */
  list(cid: CID, path: string, options?: { signal?: AbortSignal }): AsyncIterable<Entry>
  /** Every file below a folder with its bytes, one after the other, `bytesMax` together; for small packages. */
  readFiles(
    cid: CID,
    options: ReadOptions & { filesMax: number }
  ): AsyncIterable<{ readonly path: string; readonly content: Uint8Array }>
  /**
   * Keeps a whole DAG, fetching what is missing. New pins are public unless `private`; one that exists keeps its
   * visibility where the options say nothing about it.
   */
  pin(cid: CID, options?: PinOptions): Promise<{ readonly pin: Pin; readonly announcement: Announcement }>
  /**
   * Keeps it no longer; from here on no peer is served under it. The blocks go with the next {@link Content.gc}.
   *
   * @throws ContentError `ERR_PIN_NOT_FOUND`
   */
  unpin(cid: CID): Promise<void>
  pins(): AsyncIterable<Pin>
  /** The pin of a whole DAG, when there is one. */
  pinned(cid: CID): Pin | undefined
  /**
   * Every block of a DAG that is here whole, once, parents before children; no peer is asked.
   *
   * @throws ContentError `ERR_CONTENT_NOT_FOUND` and others when a block is missing
   */
  blocksOf(cid: CID, options?: { signal?: AbortSignal }): AsyncIterable<DagBlock>
  /** How often peers began to fetch a DAG from here since this was last asked. */
  takeDemand(cid: CID): number
  /** A block that is here, `undefined` when it is not; no peer is asked. */
  localBlock(cid: CID): Promise<Uint8Array | undefined>
  /** One small block, from here or from peers. */
  getBlock(cid: CID, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  /** Keeps one small block, private unless `public`; a public one is announced. */
  putBlock(
    bytes: Uint8Array,
    options: { codec: 'raw' | 'dag-cbor'; public?: boolean; name?: string; signal?: AbortSignal }
  ): Promise<{ readonly cid: CID; readonly announcement: Announcement }>
  /** Announces a public root now, and resolves when a peer took the record. */
  provideNow(cid: CID, options?: { signal?: AbortSignal }): Promise<void>
  /** Tries failed announcements again at once; call it when the node has met a peer. */
  hurryAnnouncements(): void
  /**
   * Removes the blocks that nothing keeps and nothing uses now; adds, gets, pins and peers go on meanwhile.
   *
   * @throws ContentError `ERR_CONTENT_BUSY` while another collection runs
   */
  gc(options?: { signal?: AbortSignal }): Promise<CollectResult>
  /** The store itself: what it holds, whether it is sound, and DAGs as CAR files. */
  readonly repo: Repo
  /** Whether that peer may have that block; what the exchange asks. */
  mayServe(cid: CID, peerId: string): Promise<boolean>
  status(): ContentStatus
}

/** What there is, for `node status`. */
export interface ContentStatus {
  readonly pins: number
  readonly publicPins: number
  readonly announcements: AnnouncementCounts
  /** Counters of bitswap; `undefined` when another exchange, or none, is used. */
  readonly exchange: BitswapStats | undefined
  /** What travels over all protocols, and the caps of it. */
  readonly flow: FlowStatus
}
