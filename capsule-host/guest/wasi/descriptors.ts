import { CHANNEL_DESCRIPTOR, DESCRIPTORS_MAX } from './constants.ts'
import { ERRNO, WasiError, type Errno } from './errno.ts'
import { ALL_RIGHTS, FILE_TYPE, FLAG, FOLDER_RIGHTS, RIGHT } from './rights.ts'

interface Opened {
  /** What may be done with it, as bits of {@link RIGHT}; can only get less. */
  rights: bigint
  /** What may be done with what is opened below it. */
  inheriting: bigint
  /** Bits of {@link FLAG}. */
  flags: number
}

/** A standard stream or the runtime channel. */
export interface StreamDescriptor extends Opened {
  readonly kind: 'stream'
  /** Which of them, 0 to 3, whatever number it has now. */
  readonly stream: number
  readonly fileType: number
}

/** An open file. */
export interface FileDescriptor extends Opened {
  readonly kind: 'file'
  /** The host's number of it. */
  readonly handle: number
  /** Where the next read or write is. */
  position: number
  /** Where the last read ended, to know whether a program reads on. */
  readEnd: number
  /** How much to read ahead next. */
  aheadBytes: number
  /** What went wrong with bytes that were said to be written; told once. */
  failure: Errno | undefined
}

/** One name in a folder, as `fd_readdir` gives it. */
export interface ListedEntry {
  readonly name: Uint8Array
  readonly inode: bigint
  readonly fileType: number
}

/** An open folder. */
export interface FolderDescriptor extends Opened {
  readonly kind: 'folder'
  /** From the root of the program's files; follows when the program renames it. */
  path: string
  /** What the program knows it by before it opens anything; `undefined` for others. */
  readonly preopen: string | undefined
  /** The names as they were when the listing began, so that cookies hold while files come and go. */
  listing: readonly ListedEntry[] | undefined
}

/** Whatever a number stands for. */
export type Descriptor = StreamDescriptor | FileDescriptor | FolderDescriptor

/** Options of {@link DescriptorTable}. */
export interface DescriptorTableInit {
  /** Whether descriptor 3 is the runtime channel; true when absent. */
  hasChannel?: boolean
  /** The name of the root of the program's files; it has none when absent. */
  preopen?: string | undefined
}

/** The open descriptors of a program. */
export class DescriptorTable {
  readonly #open = new Map<number, Descriptor>()
  readonly #first: number

  constructor({ hasChannel = true, preopen }: DescriptorTableInit = {}) {
    for (const number of [0, 1, 2]) this.#open.set(number, stream(number))
    this.#first = CHANNEL_DESCRIPTOR
    if (hasChannel) this.#open.set(CHANNEL_DESCRIPTOR, stream(CHANNEL_DESCRIPTOR))
    if (preopen !== undefined)
      this.add(folder({ path: '', preopen, rights: FOLDER_RIGHTS, inheriting: ALL_RIGHTS }))
  }

  /**
   * The open descriptor `number`.
   *
   * @throws WasiError `BADF`
   */
  get(number: number): Descriptor {
    const descriptor = this.#open.get(number >>> 0)
    if (descriptor === undefined) throw new WasiError(ERRNO.badf)
    return descriptor
  }

  /** {@link get}, `undefined` when nothing is open there. */
  look(number: number): Descriptor | undefined {
    return this.#open.get(number >>> 0)
  }

  /**
   * The open folder `number`, with all of `rights`.
   *
   * @throws WasiError `BADF`, `NOTDIR`, `NOTCAPABLE`
   */
  folder(number: number, rights: bigint): FolderDescriptor {
    const descriptor = this.get(number)
    if (descriptor.kind !== 'folder') throw new WasiError(ERRNO.notdir)
    if ((descriptor.rights & rights) !== rights) throw new WasiError(ERRNO.notcapable)
    return descriptor
  }

  /**
   * Gives `descriptor` the lowest free number that no standard stream ever has.
   *
   * @throws WasiError `MFILE`
   */
  add(descriptor: Descriptor): number {
    this.checkRoom()
    let number = this.#first
    while (this.#open.has(number)) number++
    this.#open.set(number, descriptor)
    return number
  }

  /** @throws WasiError `MFILE` when nothing more can be opened */
  checkRoom(): void {
    if (this.#open.size >= DESCRIPTORS_MAX) throw new WasiError(ERRNO.mfile)
  }

  /** Forgets descriptor `number` and gives back what it was. */
  remove(number: number): Descriptor {
    const descriptor = this.get(number)
    this.#open.delete(number >>> 0)
    return descriptor
  }

  /** Moves a descriptor over another open one, which is given back; `undefined` when they are the same. */
  renumber(from: number, to: number): Descriptor | undefined {
    const moved = this.get(from)
    const replaced = this.get(to)
    if (moved === replaced) return undefined
    this.#open.delete(from >>> 0)
    this.#open.set(to >>> 0, moved)
    return replaced
  }

  /** Sets the flags of descriptor `number`. A stream has no use for those that sync. */
  setFlags(number: number, flags: number): void {
    const descriptor = this.get(number)
    const isStream = descriptor.kind === 'stream'
    const known = FLAG.append | FLAG.nonblock | (isStream ? 0 : FLAG.dataSync | FLAG.readSync | FLAG.sync)
    if ((flags & ~known) !== 0) throw new WasiError(isStream ? ERRNO.notsup : ERRNO.inval)
    if (!isStream && (descriptor.rights & RIGHT.setFlags) === 0n) throw new WasiError(ERRNO.notcapable)
    descriptor.flags = flags
  }

  /**
   * Takes rights away from descriptor `number`.
   *
   * @throws WasiError `NOTCAPABLE` when one would be added
   */
  setRights(number: number, { rights, inheriting }: { rights: bigint; inheriting: bigint }): void {
    const descriptor = this.get(number)
    const asked = { rights: BigInt.asUintN(64, rights), inheriting: BigInt.asUintN(64, inheriting) }
    if ((asked.rights & ~descriptor.rights) !== 0n || (asked.inheriting & ~descriptor.inheriting) !== 0n) {
      throw new WasiError(ERRNO.notcapable)
    }
    Object.assign(descriptor, asked)
  }

  /** The folders below `from` are below `to` now. */
  moved(from: string, to: string): void {
    for (const descriptor of this.#open.values()) {
      if (descriptor.kind !== 'folder') continue
      if (descriptor.path === from) descriptor.path = to
      else if (descriptor.path.startsWith(`${from}/`))
        descriptor.path = to + descriptor.path.slice(from.length)
    }
  }
}

/** True when `descriptor` may do all of `rights`. */
export function may(descriptor: Descriptor, rights: bigint): boolean {
  return (descriptor.rights & rights) === rights
}

/** True when a read of `descriptor` must not wait. */
export function isNonblocking(descriptor: Descriptor): boolean {
  return (descriptor.flags & FLAG.nonblock) !== 0
}

/** The type of what `descriptor` stands for, in the numbers of WASI. */
export function fileTypeOf(descriptor: Descriptor): number {
  if (descriptor.kind === 'stream') return descriptor.fileType
  return descriptor.kind === 'folder' ? FILE_TYPE.folder : FILE_TYPE.file
}

/** A folder that was opened. */
export function folder(
  init: Pick<FolderDescriptor, 'path' | 'preopen' | 'rights' | 'inheriting'>
): FolderDescriptor {
  return { kind: 'folder', ...init, flags: 0, listing: undefined }
}

function stream(number: number): StreamDescriptor {
  const isChannel = number === CHANNEL_DESCRIPTOR
  return {
    kind: 'stream',
    stream: number,
    fileType: isChannel ? FILE_TYPE.socketStream : FILE_TYPE.characterDevice,
    rights:
      (number === 0 || isChannel ? RIGHT.read : 0n) |
      (number !== 0 ? RIGHT.write : 0n) |
      RIGHT.setFlags |
      RIGHT.stat |
      RIGHT.poll,
    inheriting: 0n,
    flags: 0
  }
}
