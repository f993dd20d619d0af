import { errorCode, errorMessage, type Clock, type Logger, type Random } from '#contracts'
import { FileError } from '../files/errors.ts'
import type { Anchoring, VaultAnchors } from './anchor.ts'
import type { BlockStore } from './block-store.ts'
import { NONCE_BYTES, type BlockRef } from './block.ts'
import { HEAD_UNITS, SNAPSHOTS_MAX } from './constants.ts'
import type { VaultDisk, VaultFile } from './disk.ts'
import { EntryTree } from './entry-tree.ts'
import { sealHead, type Head, type SnapshotState, type VaultState } from './head.ts'
import type { VaultKey } from './keys.ts'
import type { Space } from './space.ts'

/** What a {@link Volume} works with. */
export interface VolumeComponents {
  readonly disk: VaultDisk
  readonly key: VaultKey
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where it is kept how new a vault file is. */
  readonly anchors?: VaultAnchors | undefined
}

/** What a {@link Volume} is made of. */
export interface VolumeParts {
  readonly file: VaultFile
  readonly salt: Uint8Array
  /** The last durable one; of a new volume, generation 0. */
  readonly head: Omit<Head, 'tree'> & { readonly tree: BlockRef | undefined }
  readonly space: Space
  readonly blocks: BlockStore
  /** Why it can only be read: some of it is not what was written. */
  readonly damage: FileError | undefined
}

const SNAPSHOT_ID_BYTES = 16
const SLOTS = HEAD_UNITS / 2

/**
 * One lineage's vault file: blocks, the tree of entries over them, and the heads that say which tree holds. Every durable
 * state is whole: new blocks are written beside the old ones, and only then is one head. One caller at a time.
 */
export class Volume {
  readonly space: Space
  readonly blocks: BlockStore
  readonly #components: VolumeComponents
  readonly #parts: VolumeParts
  readonly #lineage: string
  #tree: EntryTree
  #generation: number
  #bytes: number
  #entries: number
  #nextInode: number
  #snapshots: readonly SnapshotState[]
  #isChanged = false
  #anchoring: Anchoring | undefined
  #failure: FileError | undefined

  constructor(components: VolumeComponents, parts: VolumeParts) {
    const { head, space, blocks } = parts
    this.#components = components
    this.#parts = parts
    this.space = space
    this.blocks = blocks
    this.#tree = new EntryTree({ blocks, units: space }, head.tree)
    this.#lineage = head.lineage
    this.#generation = head.generation
    this.#bytes = head.bytes
    this.#entries = head.entries
    this.#nextInode = head.nextInode
    this.#snapshots = head.snapshots
  }

  /** Files and folders of the published state. */
  get tree(): EntryTree {
    return this.#tree
  }

  /** Bytes of all published files. */
  get bytes(): number {
    return this.#bytes
  }

  /** Files and folders. */
  get entries(): number {
    return this.#entries
  }

  get generation(): number {
    return this.#generation
  }

  get snapshots(): readonly SnapshotState[] {
    return this.#snapshots
  }

  /** What tells this file from others that its lineage had. */
  get salt(): Uint8Array {
    return this.#parts.salt
  }

  /** From now on the generation is kept elsewhere too. */
  async anchor(anchoring: Anchoring): Promise<void> {
    this.#anchoring = anchoring
    anchoring.note(this.#generation)
    await anchoring.settle()
  }

  /** Whether something published is not durable. */
  get isChanged(): boolean {
    return this.#isChanged
  }

  /** Whether it has to be opened again before it is of use. */
  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** @throws FileError when this volume is of no use any more */
  checkReadable(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** @throws FileError when this volume cannot be changed: `ERR_FILE_CORRUPT` when it is damaged */
  checkWritable(): void {
    this.checkReadable()
    if (this.#parts.damage !== undefined) throw this.#parts.damage
  }

  /** A number for a new file or folder, never given out before. */
  takeInode(): number {
    return this.#nextInode++
  }

  /** Something published has changed, by so much. */
  changed(by: { readonly bytes?: number; readonly entries?: number } = {}): void {
    this.#bytes += by.bytes ?? 0
    this.#entries += by.entries ?? 0
    this.#isChanged = true
  }

  /** What is in memory cannot be relied on: only what is durable counts, once this is opened again. */
  fail(cause: unknown): void {
    this.#failure ??= new FileError(
      'ERR_FILE_IO',
      'the vault stopped after an error and has to be opened again',
      {
        cause
      }
    )
    const fields = { code: errorCode(cause), reason: errorMessage(cause) }
    this.#components.logger.error('a vault file stopped', fields)
  }

  /**
   * Makes what is published durable. When there is no space it stays as it was, and can be tried again.
   *
   * @throws FileError `ERR_FILE_NO_SPACE`, `ERR_FILE_IO`
   */
  async commit(): Promise<void> {
    this.checkWritable()
    if (!this.#isChanged) return
    const tree = await this.#tree.flush()
    await this.#writeHead(tree)
    this.#isChanged = false
    this.space.commit()
    // What is durable stays so when the disk does not take the rest back.
    await this.blocks.trim().catch((thrown: unknown) => {
      this.#components.logger.warn('a vault file could not be cut', { code: errorCode(thrown) })
    })
  }

  /** Keeps the published state under the returned id. @throws FileError `ERR_FILE_QUOTA` when there are too many */
  async snapshot(): Promise<string> {
    if (this.#snapshots.length >= SNAPSHOTS_MAX) {
      throw new FileError('ERR_FILE_QUOTA', `expected at most ${SNAPSHOTS_MAX} snapshots of one root`)
    }
    const tree = await this.#tree.flush()
    const id = Buffer.from(this.#components.random.bytes(SNAPSHOT_ID_BYTES)).toString('hex')
    const createdAtMs = Math.floor(this.#components.clock.nowMs())
    const kept = this.#snapshots
    this.#snapshots = [...kept, { id, createdAtMs, ...this.#state(tree) }]
    this.space.addSnapshot(id)
    await this.#commitOr(() => {
      this.#snapshots = kept
      this.space.dropSnapshot(id)
    })
    return id
  }

  /** Goes back to a snapshot, which is kept. @throws FileError `ERR_FILE_NOT_FOUND` */
  async restore(id: string): Promise<void> {
    const snapshot = this.#find(id)
    const { tree, bytes, entries } = snapshot
    this.#tree = new EntryTree({ blocks: this.blocks, units: this.space }, tree)
    this.#bytes = bytes
    this.#entries = entries
    this.space.restore(id)
    // Half restored is neither: then the durable state is opened again.
    await this.#commitOr((thrown) => this.fail(thrown))
  }

  /** Lets go of a snapshot. @throws FileError `ERR_FILE_NOT_FOUND` */
  async dropSnapshot(id: string): Promise<void> {
    this.#find(id)
    const kept = this.#snapshots
    this.#snapshots = kept.filter((snapshot) => snapshot.id !== id)
    // Its blocks may be written over only when no head on the disk refers to them.
    await this.#commitOr(() => {
      this.#snapshots = kept
    })
    this.space.dropSnapshot(id)
  }

  /** Closes the file; what is not durable is lost. */
  async close(): Promise<void> {
    this.#failure ??= new FileError('ERR_FILE_IO', 'expected the vault to be open')
    try {
      await this.#anchoring?.settle()
    } finally {
      await this.#parts.file[Symbol.asyncDispose]()
    }
  }

  #state(tree: BlockRef): VaultState {
    return { tree, bytes: this.#bytes, entries: this.#entries }
  }

  #find(id: string): SnapshotState {
    const snapshot = this.#snapshots.find((candidate) => candidate.id === id)
    if (snapshot === undefined) throw new FileError('ERR_FILE_NOT_FOUND', 'expected the id of a snapshot')
    return snapshot
  }

  async #commitOr(undo: (thrown: unknown) => void): Promise<void> {
    this.#isChanged = true
    try {
      await this.commit()
    } catch (thrown) {
      undo(thrown)
      throw thrown
    }
  }

  async #writeHead(tree: BlockRef): Promise<void> {
    const head = {
      lineage: this.#lineage,
      generation: this.#generation + 1,
      nextInode: this.#nextInode,
      ...this.#state(tree),
      snapshots: this.#snapshots
    }
    const nonce = this.#components.random.bytes(NONCE_BYTES)
    const unit = sealHead(head, this.#components.key, { salt: this.#parts.salt, nonce })
    const slot = head.generation % SLOTS
    try {
      await this.blocks.sync()
      await this.blocks.writeHead(slot, unit)
      await this.blocks.sync()
      // The copy is for damage, not for crashes: the next commit's first sync takes it along.
      await this.blocks.writeHead(slot + SLOTS, unit)
    } catch (thrown) {
      // After a failed sync nobody knows what is on the disk (https://wiki.postgresql.org/wiki/Fsync_Errors).
      this.fail(thrown)
      throw thrown
    }
    this.#generation = head.generation
    this.#anchoring?.note(head.generation)
  }
}
