import { isAbsolute, normalize } from 'node:path'
import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { ByteSource } from './car/byte-source.ts'
import { exportCar } from './car/export-car.ts'
import { readCar } from './car/car-format.ts'
import { blockKey, parseCidPath, RAW_CODEC } from './cid.ts'
import { DAG_NODES_MAX } from './constants.ts'
import { linksOf } from './dag-links.ts'
import { printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { fileError } from './files.ts'
import { checkOutput } from './output-tree.ts'
import { resolvePath } from './resolve-path.ts'
import type { BlockSource } from './block-source.ts'
import type { BlockStore, BlockToPut, StoreStat, VerifyResult } from './block-store.ts'
import type { Car } from './car/car-format.ts'
import type { ExportedCar } from './car/export-car.ts'
import type { Pin, PinOptions } from './content.ts'
import type { FilePowers } from './files.ts'
import type { Gate } from './gate.ts'
import type { RootIndex } from './root-index.ts'
import type { UnfinishedGets } from './unfinished-gets.ts'

/** What the store holds. */
export interface RepoStat extends StoreStat {
  readonly pins: number
}

/** A pin some of whose blocks are not here. */
export interface IncompletePin {
  readonly cid: CID
  readonly name: string | undefined
  /** Blocks that are named and not here; what is below them is not counted. */
  readonly missing: number
}

/** What a verification found. */
export interface RepoVerification extends VerifyResult {
  readonly pins: number
  readonly incomplete: readonly IncompletePin[]
}

/** Options of {@link Repo.exportCar}. */
export interface ExportOptions {
  /** The file to write, absolute. */
  output: string
  force?: boolean
  /** Version of the CAR; 1 when absent, which everything reads. */
  version?: 1 | 2
  /** Write what is here, ask nobody, and leave out the rest. */
  partial?: boolean
  onProgress?: (progress: { readonly blocks: number; readonly bytes: number }) => void
  signal?: AbortSignal
}

/** What {@link Repo.exportCar} wrote. */
export interface CarExport extends ExportedCar {
  readonly cid: CID
  readonly output: string
}

/** Options of {@link Repo.importCar}. */
export interface ImportOptions extends Pick<PinOptions, 'private' | 'name'> {
  /** False: the blocks come as a cache, as those of a get do. */
  pin?: boolean
  onProgress?: (progress: { readonly blocks: number; readonly bytes: number }) => void
  signal?: AbortSignal
}

/** What {@link Repo.importCar} took in. */
export interface CarImport {
  readonly version: 1 | 2
  readonly blocks: number
  readonly bytes: number
  /** The roots it names; `missing` as in {@link IncompletePin}. Only one with none missing is pinned. */
  readonly roots: readonly { readonly cid: CID; readonly missing: number; readonly isPinned: boolean }[]
}

/** The block store as its owner looks after it. */
export interface Repo {
  stat(): RepoStat
  /**
   * Hashes every block and looks for every block of every pin. A corrupt block is removed; pinning its root again
   * fetches it.
   *
   * @throws ContentError `ERR_STORE_IO`, `ERR_CONTENT_CLOSED`
   */
  verify(options?: {
    onProgress?: (progress: { readonly blocks: number; readonly bytes: number }) => void
    signal?: AbortSignal
  }): Promise<RepoVerification>
  /**
   * Writes a DAG, or what a path in it leads to, as a CAR; fetches what is missing unless it is `partial`.
   *
   * @param cidPath - as of `Content.get`
   * @throws as `Content.get`
   */
  exportCar(cidPath: string, options: ExportOptions): Promise<CarExport>
  /**
   * Takes in the blocks of a CAR of version 1 or 2, each hashed, and pins those roots that are whole. Of the others
   * the blocks are kept for a week, as of a get that was not finished.
   *
   * @param path - absolute
   * @throws ContentError `ERR_CAR_INVALID`, `ERR_BLOCK_MISMATCH`, `ERR_BLOCK_TOO_LARGE`, `ERR_CID_UNSUPPORTED`,
   *   `ERR_CONTENT_DENIED`, `ERR_PATH_…`, `ERR_DISK_FULL`, `ERR_STORE_IO`; what came before may stay as a cache
   */
  importCar(path: string, options?: ImportOptions): Promise<CarImport>
}

/** What the store is looked after with. */
export interface RepoComponents {
  store: BlockStore
  files: FilePowers
  roots: RootIndex
  unfinished: UnfinishedGets
  source: BlockSource
  gate: Gate
  isDenied(cid: CID): boolean
  pin(cid: CID, options: PinOptions): Promise<Pin>
}

/** {@link Repo} over the parts of a node. */
export class StoreRepo implements Repo {
  readonly #parts: RepoComponents

  constructor(parts: RepoComponents) {
    this.#parts = parts
  }

  stat(): RepoStat {
    const { store, roots } = this.#parts
    return { ...store.stat(), pins: [...roots.all()].length }
  }

  async verify(options: Parameters<Repo['verify']>[0] = {}): Promise<RepoVerification> {
    const { store, roots, gate } = this.#parts
    using visit = await gate.enter(options.signal)
    const { signal } = visit
    const found = await store.verify({ signal, onProgress: options.onProgress })
    const incomplete: IncompletePin[] = []
    const pins = [...roots.all()]
    for (const { cid, kind, name } of pins) {
      signal.throwIfAborted()
      const missing =
        kind === 'dag' ? await missingUnder(cid, store, signal) : Number(!(await store.has(cid)))
      // It may have been unpinned meanwhile.
      if (missing > 0 && roots.get(kind, cid) !== undefined) incomplete.push({ cid, name, missing })
    }
    return { ...found, pins: pins.length, incomplete }
  }

  async exportCar(cidPath: string, options: ExportOptions): Promise<CarExport> {
    const { gate, files, source } = this.#parts
    using visit = await gate.enter(options.signal)
    const { cid: root, names } = parseCidPath(cidPath)
    const { force = false, version = 1, partial = false } = options
    const output = normalize(options.output)
    await checkOutput({ files, output, force })
    await using reader = source.read({ root, signal: visit.signal, network: !partial })
    const fetch = async (cid: CID): Promise<Uint8Array> => await reader.get(cid)
    const cid = await resolvePath(root, names, fetch)
    const onBlock = (progress: { blocks: number; bytes: number }): void => {
      visit.signal.throwIfAborted()
      options.onProgress?.(progress)
    }
    const written = await exportCar({
      root: cid,
      ...{ files, output, force, version, fetch, onBlock },
      isPartial: partial
    })
    return { cid, output, ...written }
  }

  async importCar(path: string, options: ImportOptions = {}): Promise<CarImport> {
    const { gate, files, store } = this.#parts
    using visit = await gate.enter(options.signal)
    if (!isAbsolute(path) || path.includes('\0')) {
      throw new ContentError('ERR_PATH_INVALID', 'expected an absolute path of a CAR')
    }
    try {
      const real = await files.realPath(path)
      if ((await files.facts(real))?.kind !== 'file') {
        throw new ContentError('ERR_NOT_A_FILE', `expected a CAR file at ${printableName(path)}`)
      }
      await using file = await files.openStored(real, 'read')
      const car = await readCar(new ByteSource(file, await file.size()))
      for (const root of car.roots) this.#checkDenied(root)
      const total = { blocks: 0, bytes: 0 }
      await store.putMany(
        this.#counted(car, total, { signal: visit.signal, onProgress: options.onProgress }),
        { durable: options.pin !== false }
      )
      const roots: CarImport['roots'][number][] = []
      for (const root of car.roots) roots.push(await this.#take(root, options, visit.signal))
      return { version: car.version, ...total, roots }
    } catch (thrown) {
      throw fileError(thrown, `cannot import ${path}`)
    }
  }

  async #take(
    cid: CID,
    { pin = true, private: isPrivate, name }: ImportOptions,
    signal: AbortSignal
  ): Promise<CarImport['roots'][number]> {
    const { store, unfinished } = this.#parts
    const missing = await missingUnder(cid, store, signal)
    const isPinned = pin && missing === 0
    if (isPinned) {
      await this.#parts.pin(cid, {
        signal,
        ...(isPrivate === undefined ? {} : { private: isPrivate }),
        ...(name === undefined ? {} : { name })
      })
    } else if (missing > 0) await unfinished.begin(cid)
    return { cid, missing, isPinned }
  }

  async *#counted(
    car: Car,
    total: { blocks: number; bytes: number },
    { signal, onProgress }: { signal: AbortSignal; onProgress: ImportOptions['onProgress'] }
  ): AsyncGenerator<BlockToPut> {
    for await (const { cid, bytes } of car.blocks()) {
      signal.throwIfAborted()
      this.#checkDenied(cid)
      total.blocks++
      total.bytes += bytes.length
      onProgress?.({ ...total })
      yield { cid, bytes }
    }
  }

  #checkDenied(cid: CID): void {
    if (!this.#parts.isDenied(cid)) return
    throw new ContentError('ERR_CONTENT_DENIED', `${cid.toString()} is on the deny list`)
  }
}

/** Blocks of a DAG that are named and not here. */
async function missingUnder(root: CID, store: BlockStore, signal: AbortSignal): Promise<number> {
  const seen = new Set<string>()
  const pending = [root]
  let missing = 0
  for (let cid = pending.pop(); cid !== undefined; cid = pending.pop()) {
    signal.throwIfAborted()
    if (cid.code === RAW_CODEC) {
      if (!(await store.has(cid))) missing++
      continue
    }
    const key = `${cid.code}${blockKey(cid)}`
    if (seen.has(key)) continue
    if (seen.size >= DAG_NODES_MAX) {
      throw new ContentError(
        'ERR_CONTENT_TOO_LARGE',
        `the content has more than ${DAG_NODES_MAX} inner blocks`
      )
    }
    seen.add(key)
    const bytes = await presentBytes(cid, store)
    if (bytes === undefined) missing++
    else for (const below of linksOf(cid, bytes)) pending.push(below)
  }
  return missing
}

async function presentBytes(cid: CID, store: BlockStore): Promise<Uint8Array | undefined> {
  try {
    return await store.get(cid)
  } catch (thrown) {
    if (errorCode(thrown) === 'ERR_BLOCK_CORRUPT') return undefined
    throw thrown
  }
}
