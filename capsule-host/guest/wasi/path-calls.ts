import { OPEN_FLAG } from '../file-messages.ts'
import { folder, type Descriptor, type FolderDescriptor } from './descriptors.ts'
import { ERRNO, WasiError } from './errno.ts'
import { writeFilestat, type FileWorld } from './file-calls.ts'
import type { FileClient } from './file-client.ts'
import type { SuspendingWasiCall } from './host.ts'
import { resolvePath, type ResolvedPath } from './paths.ts'
import { ALL_RIGHTS, FILE_RIGHTS, FILE_TYPE, FOLDER_RIGHTS, RIGHT } from './rights.ts'
import type { WasiName } from './signatures.ts'
import { readTimes } from './times.ts'

const FOLLOW = 1
const OPEN = { create: 1, folder: 2, exclusive: 4, truncate: 8 } as const
const OPEN_ALL = 15
const FLAGS_ALL = 31

type PathName = Extract<WasiName, `path_${string}`>

/** A path as a call names it: the folder it starts from, where its text lies, and what may be done there. */
interface Place {
  readonly number: number
  readonly address: number
  readonly length: number
  readonly rights: bigint
}

function at(number: number, address: number, length: number): Place {
  return { number, address, length, rights: 0n }
}

/** The calls that name a path. */
export function pathCalls(world: FileWorld): Record<PathName, SuspendingWasiCall> {
  const { host, client } = world
  return {
    ...linkCalls(world),
    ...removalCalls(world),
    path_create_directory: async (number: number, address: number, length: number) => {
      const { path, isDot } = resolve(world, { ...at(number, address, length), rights: RIGHT.createFolder })
      if (isDot || path === '') return ERRNO.exist
      await tell(world, { operation: 'makeFolder', path })
      return ERRNO.success
    },
    path_filestat_get: async (
      number: number,
      flags: number,
      address: number,
      ...[length, result]: number[]
    ) => {
      const place = { ...at(number, address, length ?? 0), rights: RIGHT.pathStat }
      const resolved = resolve(world, place)
      await world.io.settle()
      const stat = await client.stat(resolved.path, (flags & FOLLOW) !== 0 || resolved.isFolder)
      if (resolved.isFolder && stat.fileType !== FILE_TYPE.folder) return ERRNO.notdir
      writeFilestat(host.memory, result ?? 0, stat)
      return ERRNO.success
    },
    path_filestat_set_times: async (
      number: number,
      flags: number,
      address: number,
      ...[length, accessed, modified, which]: [number, bigint, bigint, number]
    ) => {
      const times = readTimes({ accessed, modified, flags: which })
      const resolved = resolve(world, { ...at(number, address, length), rights: RIGHT.pathSetTimes })
      const isFollowing = (flags & FOLLOW) !== 0 || resolved.isFolder
      await world.io.settle()
      await checkFolder(world, resolved)
      await client.setTimes(resolved.path, { times, isFollowing })
      return ERRNO.success
    },
    path_open: async (number: number, lookup: number, address: number, ...rest: [number, ...OpenRest]) => {
      const [length, openFlags, rights, inheriting, flags, result] = rest
      return await openPath(world, at(number, address, length), {
        isFollowing: (lookup & FOLLOW) !== 0,
        openFlags,
        rights: BigInt.asUintN(64, rights),
        inheriting: BigInt.asUintN(64, inheriting),
        flags,
        result
      })
    }
  }
}

type RemovalName = 'path_remove_directory' | 'path_rename' | 'path_unlink_file'

/** The calls that take names away. */
function removalCalls(world: FileWorld): Record<RemovalName, SuspendingWasiCall> {
  const { host } = world
  return {
    path_remove_directory: async (number: number, address: number, length: number) => {
      const { path, isDot } = resolve(world, { ...at(number, address, length), rights: RIGHT.removeFolder })
      if (isDot) return ERRNO.inval
      await tell(world, { operation: 'removeFolder', path })
      return ERRNO.success
    },
    path_rename: async (from: number, address: number, length: number, ...to: [number, number, number]) => {
      const source = resolve(world, { ...at(from, address, length), rights: RIGHT.renameSource })
      const target = resolve(world, { ...at(...to), rights: RIGHT.renameTarget })
      if (source.isDot || target.isDot) return ERRNO.busy
      await world.io.settle()
      // The target need not be there, but only a folder can be called by a slash.
      await checkFolder(world, { path: source.path, isFolder: source.isFolder || target.isFolder })
      await tell(world, { operation: 'rename', from: source.path, path: target.path })
      host.descriptors.moved(source.path, target.path)
      return ERRNO.success
    },
    path_unlink_file: async (number: number, address: number, length: number) => {
      const resolved = resolve(world, { ...at(number, address, length), rights: RIGHT.removeFile })
      if (resolved.isDot) return ERRNO.isdir
      await world.io.settle()
      await checkFolder(world, resolved)
      await tell(world, { operation: 'remove', path: resolved.path })
      return ERRNO.success
    }
  }
}

type LinkName = 'path_link' | 'path_readlink' | 'path_symlink'

/** Links, which the host refuses unless its files have them. */
function linkCalls(world: FileWorld): Record<LinkName, SuspendingWasiCall> {
  const { host, client, io } = world
  return {
    path_link: async (from: number, flags: number, address: number, ...rest: number[]) => {
      const [length = 0, to = 0, toAddress = 0, toLength = 0] = rest
      if ((flags & FOLLOW) !== 0) return ERRNO.inval
      const source = resolve(world, { number: from, address, length, rights: RIGHT.linkSource })
      const target = resolve(world, {
        number: to,
        address: toAddress,
        length: toLength,
        rights: RIGHT.linkTarget
      })
      if (target.isFolder) return ERRNO.noent
      await io.settle()
      await checkFolder(world, source)
      await tell(world, { operation: 'joinLink', from: source.path, path: target.path })
      return ERRNO.success
    },
    path_readlink: async (number: number, address: number, length: number, ...rest: number[]) => {
      const [buffer = 0, bufferBytes = 0, result = 0] = rest
      const { path } = resolve(world, { number, address, length, rights: RIGHT.readLink })
      host.memory.bytes(result, 4)
      const target = host.memory.bytes(buffer, bufferBytes)
      await io.settle()
      const bytes = (await client.ask({ operation: 'readLink', path })).rest().subarray(0, target.byteLength)
      target.set(bytes)
      host.memory.setU32(result, bytes.byteLength)
      return ERRNO.success
    },
    path_symlink: async (address: number, length: number, number: number, ...to: [number, number]) => {
      const where = resolve(world, { number, address: to[0], length: to[1], rights: RIGHT.makeLink })
      // The text is the program's own business until it is followed; it is read as strictly as a path is.
      const target = resolvePath('', host.memory.bytes(address, length))
      if (target.path === '') return ERRNO.notcapable
      await io.settle()
      if (where.isFolder) return await slashedLinkErrno(world, where.path)
      const text = new TextDecoder().decode(host.memory.bytes(address, length))
      await tell(world, { operation: 'makeLink', target: text, path: where.path })
      return ERRNO.success
    }
  }
}

/** What a link called by a slash is told: it cannot be made, and why depends on what is there. */
async function slashedLinkErrno({ client }: FileWorld, path: string): Promise<number> {
  const { fileType } = await client.stat(path, false)
  return fileType === FILE_TYPE.folder ? ERRNO.exist : ERRNO.notdir
}

type OpenRest = [openFlags: number, rights: bigint, inheriting: bigint, flags: number, result: number]

interface OpenAsked {
  readonly isFollowing: boolean
  readonly openFlags: number
  readonly rights: bigint
  readonly inheriting: bigint
  readonly flags: number
  readonly result: number
}

async function openPath(world: FileWorld, place: Place, asked: OpenAsked): Promise<number> {
  const { host, io } = world
  const { openFlags, flags } = asked
  const parent = host.descriptors.folder(place.number, RIGHT.open)
  const resolved = resolve(world, place)
  host.memory.bytes(asked.result, 4)
  const has = (bit: number): boolean => (openFlags & bit) !== 0
  if ((openFlags & ~OPEN_ALL) !== 0 || (flags & ~FLAGS_ALL) !== 0) return ERRNO.inval
  if (has(OPEN.create) && has(OPEN.folder)) return ERRNO.inval
  if (has(OPEN.create) && (parent.rights & RIGHT.createFile) === 0n) return ERRNO.notcapable
  if (has(OPEN.truncate) && (parent.rights & RIGHT.pathSetSize) === 0n) return ERRNO.notcapable
  const beyond = (asked.rights | asked.inheriting) & ALL_RIGHTS & ~parent.inheriting
  // A C library asks for all rights there are when it opens a folder.
  if (beyond !== 0n && !has(OPEN.folder)) return ERRNO.notcapable
  host.descriptors.checkRoom()
  await io.settle()
  const opened = await openDescriptor(world, { resolved, parent, asked })
  host.memory.setU32(asked.result, host.descriptors.add(opened))
  return ERRNO.success
}

interface Opening {
  readonly resolved: ResolvedPath
  readonly parent: FolderDescriptor
  readonly asked: OpenAsked
}

const WRITING = RIGHT.write | RIGHT.allocate | RIGHT.setSize

async function openDescriptor(world: FileWorld, { resolved, parent, asked }: Opening): Promise<Descriptor> {
  const { openFlags, flags } = asked
  const { path } = resolved
  const rights = asked.rights & parent.inheriting
  const isWriting = (rights & WRITING) !== 0n
  const has = (bit: number): boolean => (openFlags & bit) !== 0
  const handle = await openHandle(world, {
    path,
    // A slash at its end says that a folder is meant, as the flag does.
    isFolder: resolved.isFolder || has(OPEN.folder),
    isFollowing: asked.isFollowing || (resolved.isFolder && !has(OPEN.folder)),
    bits:
      (has(OPEN.create) ? OPEN_FLAG.create : 0) |
      (has(OPEN.exclusive) ? OPEN_FLAG.exclusive : 0) |
      (has(OPEN.truncate) ? OPEN_FLAG.truncate : 0) |
      (isWriting ? OPEN_FLAG.write : 0)
  })
  if (handle !== undefined) {
    const state = { position: 0, readEnd: 0, aheadBytes: 0, failure: undefined }
    return { kind: 'file', handle, rights: rights & FILE_RIGHTS, inheriting: 0n, flags, ...state }
  }
  if ((rights & RIGHT.write) !== 0n) throw new WasiError(ERRNO.isdir)
  const inheriting = asked.inheriting & parent.inheriting
  return { ...folder({ path, preopen: undefined, rights: rights & FOLDER_RIGHTS, inheriting }), flags }
}

/** Opens what is at a path: the handle of a file, `undefined` for a folder. */
async function openHandle(
  { client }: FileWorld,
  o: { path: string; isFolder: boolean; isFollowing: boolean; bits: number }
): Promise<number | undefined> {
  if (!o.isFolder) return await client.open(o.path, o.bits | (o.isFollowing ? OPEN_FLAG.follow : 0))
  if ((o.bits & OPEN_FLAG.create) !== 0) throw new WasiError(ERRNO.isdir)
  const { fileType } = await client.stat(o.path, o.isFollowing)
  if (fileType !== FILE_TYPE.folder) throw new WasiError(ERRNO.notdir)
  return undefined
}

function resolve({ host }: FileWorld, { number, address, length, rights }: Place): ResolvedPath {
  const from = host.descriptors.folder(number, rights)
  return resolvePath(from.path, host.memory.bytes(address, length))
}

/** What is called by a slash at its end must be a folder. */
async function checkFolder(
  { client }: FileWorld,
  { path, isFolder }: Pick<ResolvedPath, 'path' | 'isFolder'>
): Promise<void> {
  if (!isFolder) return
  const { fileType } = await client.stat(path, false)
  if (fileType !== FILE_TYPE.folder) throw new WasiError(ERRNO.notdir)
}

/** Asks for a change, with nothing gathered left behind it. */
async function tell({ client, io }: FileWorld, request: Parameters<FileClient['ask']>[0]): Promise<void> {
  await io.settle()
  await client.ask(request)
}
