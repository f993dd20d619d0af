import { RIGHT } from './rights.ts'
import { may, type Descriptor, type FileDescriptor } from './descriptors.ts'
import { ERRNO, WasiError } from './errno.ts'
import type { FileClient, FileStatMessage } from './file-client.ts'
import type { FileIo } from './file-io.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from './host.ts'
import { writeListing } from './listing.ts'
import type { GuestMemory } from './memory.ts'
import { readTimes } from './times.ts'
import { bytesOf, gather, readVectors, scatter } from './vectors.ts'

const FILESTAT_BYTES = 64
const DEVICE = 1n
const WHENCE = { set: 0, current: 1, end: 2 } as const
const ADVICES = 6

/** What calls on files act on. */
export interface FileWorld {
  readonly host: WasiHost
  readonly client: FileClient
  readonly io: FileIo
}

type SuspendingName =
  | `fd_${'allocate' | 'close' | 'datasync' | 'sync' | 'seek' | 'readdir'}`
  | `fd_filestat_${'get' | 'set_size' | 'set_times'}`
  | `fd_${'read' | 'write' | 'pread' | 'pwrite'}`

/** `fd_advise` and `fd_tell` on what is no stream. */
export function immediateFileCalls({
  host
}: Pick<FileWorld, 'host'>): Record<'fd_advise' | 'fd_tell', WasiCall> {
  const { memory, descriptors } = host
  return {
    fd_advise: (number: number, _offset: bigint, _length: bigint, advice: number) => {
      fileOf(descriptors.get(number), RIGHT.advise)
      return advice >>> 0 < ADVICES ? ERRNO.success : ERRNO.inval
    },
    fd_tell: (number: number, result: number) => {
      memory.setU64(result, BigInt(fileOf(descriptors.get(number), RIGHT.tell).position))
      return ERRNO.success
    }
  }
}

/** The calls on an open file or folder that the host is asked for. */
export function fileCalls(world: FileWorld): Record<SuspendingName, SuspendingWasiCall> {
  const { host, client, io } = world
  const { descriptors, memory } = host
  const fileAt = (number: number, rights: bigint): FileDescriptor => fileOf(descriptors.get(number), rights)
  return {
    ...transferCalls(world),
    ...statCalls(world),
    fd_allocate: async (number: number, offset: bigint, length: bigint) => {
      const file = fileAt(number, RIGHT.allocate)
      const end = sizeOf(offset) + sizeOf(length)
      if (length === 0n) return ERRNO.inval
      await io.settle()
      await client.ask({ operation: 'extend', handle: file.handle, size: checkSize(end) })
      return ERRNO.success
    },
    fd_close: async (number: number) => {
      await closeDescriptor(world, descriptors.remove(number))
      return ERRNO.success
    },
    fd_datasync: async (number: number) => await sync(world, descriptors.get(number), RIGHT.dataSync),
    fd_sync: async (number: number) => await sync(world, descriptors.get(number), RIGHT.sync),
    fd_readdir: async (number: number, buffer: number, length: number, cookie: bigint, result: number) => {
      const folder = descriptors.folder(number, RIGHT.list)
      memory.bytes(buffer, length)
      memory.bytes(result, 4)
      await io.settle()
      return await writeListing(world, folder, { buffer, length, cookie, result })
    },
    fd_seek: async (number: number, offset: bigint, whence: number, result: number) => {
      const file = fileOf(descriptors.get(number), 0n)
      const isTelling = offset === 0n && whence === WHENCE.current
      if (!may(file, RIGHT.seek) && !(isTelling && may(file, RIGHT.tell))) return ERRNO.notcapable
      memory.bytes(result, 8)
      let from = 0n
      if (whence === WHENCE.current) from = BigInt(file.position)
      else if (whence === WHENCE.end) {
        await io.settle()
        from = (await client.statHandle(file.handle)).bytes
      } else if (whence !== WHENCE.set) return ERRNO.inval
      const position = from + offset
      if (position < 0n) return ERRNO.inval
      file.position = checkSize(Number(position))
      memory.setU64(result, position)
      return ERRNO.success
    }
  }
}

function statCalls(
  world: FileWorld
): Record<`fd_filestat_${'get' | 'set_size' | 'set_times'}`, SuspendingWasiCall> {
  const { host, client, io } = world
  const { descriptors, memory } = host
  return {
    fd_filestat_get: async (number: number, result: number) => {
      const descriptor = descriptors.get(number)
      if (!may(descriptor, RIGHT.stat)) return ERRNO.notcapable
      await io.settle()
      writeFilestat(memory, result, await statOf(world, descriptor))
      return ERRNO.success
    },
    fd_filestat_set_size: async (number: number, size: bigint) => {
      const file = fileOf(descriptors.get(number), RIGHT.setSize)
      await io.settle()
      await client.ask({ operation: 'truncate', handle: file.handle, size: sizeOf(size) })
      return ERRNO.success
    },
    fd_filestat_set_times: async (number: number, accessed: bigint, modified: bigint, flags: number) => {
      const descriptor = descriptors.get(number)
      if (!may(descriptor, RIGHT.setTimes)) return ERRNO.notcapable
      const times = readTimes({ accessed, modified, flags })
      await io.settle()
      if (descriptor.kind === 'file') {
        await client.ask({ operation: 'setHandleTimes', handle: descriptor.handle, times })
      } else if (descriptor.kind === 'folder') {
        await client.setTimes(descriptor.path, { times, isFollowing: false })
      }
      return ERRNO.success
    }
  }
}

function transferCalls({
  host: { descriptors, memory },
  io
}: FileWorld): Record<`fd_${'read' | 'write' | 'pread' | 'pwrite'}`, SuspendingWasiCall> {
  const read = async (file: FileDescriptor, offset: number, at: Buffers): Promise<number> => {
    memory.bytes(at.result, 4)
    const length = bytesOf(readVectors(memory, at.vectors, at.count))
    const bytes = await io.read(file, { offset, length })
    scatter(readVectors(memory, at.vectors, at.count), bytes)
    memory.setU32(at.result, bytes.byteLength)
    return bytes.byteLength
  }
  const write = async (file: FileDescriptor, offset: number, at: Buffers): Promise<number> => {
    memory.bytes(at.result, 4)
    const bytes = gather(readVectors(memory, at.vectors, at.count))
    const end = await io.write(file, offset, bytes)
    memory.setU32(at.result, bytes.byteLength)
    return end
  }
  return {
    fd_read: async (number: number, vectors: number, count: number, result: number) => {
      const file = transferred(descriptors.get(number), RIGHT.read)
      file.position += await read(file, file.position, { vectors, count, result })
      return ERRNO.success
    },
    fd_write: async (number: number, vectors: number, count: number, result: number) => {
      const file = transferred(descriptors.get(number), RIGHT.write)
      file.position = await write(file, file.position, { vectors, count, result })
      return ERRNO.success
    },
    fd_pread: async (number: number, vectors: number, count: number, offset: bigint, result: number) => {
      const file = transferred(descriptors.get(number), RIGHT.read)
      await read(file, sizeOf(offset), { vectors, count, result })
      return ERRNO.success
    },
    fd_pwrite: async (number: number, vectors: number, count: number, offset: bigint, result: number) => {
      const file = transferred(descriptors.get(number), RIGHT.write)
      await write(file, sizeOf(offset), { vectors, count, result })
      return ERRNO.success
    }
  }
}

interface Buffers {
  readonly vectors: number
  readonly count: number
  readonly result: number
}

/** Closes what `descriptor` was; says what went wrong with bytes that were said to be written. */
export async function closeDescriptor({ client, io }: FileWorld, descriptor: Descriptor): Promise<void> {
  if (descriptor.kind !== 'file') return
  await io.flush()
  io.forget(descriptor)
  await client.ask({ operation: 'close', handle: descriptor.handle })
  if (descriptor.failure !== undefined) throw new WasiError(descriptor.failure)
}

/** Writes a `filestat`. */
export function writeFilestat(memory: GuestMemory, result: number, stat: FileStatMessage): void {
  const bytes = memory.bytes(result, FILESTAT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILESTAT_BYTES)
  view.setBigUint64(0, DEVICE, true)
  view.setBigUint64(8, stat.inode, true)
  view.setUint8(16, stat.fileType)
  view.setBigUint64(24, BigInt(stat.linkCount), true)
  view.setBigUint64(32, stat.bytes, true)
  view.setBigUint64(40, stat.accessedNs, true)
  view.setBigUint64(48, stat.modifiedNs, true)
  view.setBigUint64(56, stat.changedNs, true)
}

async function sync({ client, io }: FileWorld, descriptor: Descriptor, right: bigint): Promise<number> {
  if (descriptor.kind === 'folder') {
    await io.settle()
    return ERRNO.success
  }
  const file = fileOf(descriptor, right)
  await io.finish(file)
  await client.ask({ operation: 'sync', handle: file.handle })
  return ERRNO.success
}

async function statOf({ client }: FileWorld, descriptor: Descriptor): Promise<FileStatMessage> {
  if (descriptor.kind === 'file') return await client.statHandle(descriptor.handle)
  return await client.stat(descriptor.kind === 'folder' ? descriptor.path : '', false)
}

/** A file that may do `rights`. */
function fileOf(descriptor: Descriptor, rights: bigint): FileDescriptor {
  if (descriptor.kind !== 'file') throw new WasiError(ERRNO.badf)
  if (!may(descriptor, rights)) throw new WasiError(ERRNO.notcapable)
  return descriptor
}

/** A file that may be read or written; POSIX has its own answers when not. */
function transferred(descriptor: Descriptor, right: bigint): FileDescriptor {
  if (descriptor.kind === 'folder') throw new WasiError(ERRNO.isdir)
  if (descriptor.kind !== 'file' || !may(descriptor, right)) throw new WasiError(ERRNO.badf)
  return descriptor
}

/** An offset or size a program named. */
function sizeOf(value: bigint): number {
  return checkSize(Number(BigInt.asUintN(64, value)))
}

function checkSize(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) throw new WasiError(ERRNO.inval)
  return value
}
