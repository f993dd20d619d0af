import { CHANNEL_DESCRIPTOR } from './constants.ts'
import type { DescriptorTable } from './descriptors.ts'
import { ERRNO, WasiError, type Errno } from './errno.ts'
import type { WasiCall, WasiHost } from './host.ts'
import type { WasiName } from './signatures.ts'

type RefusedOnAStream =
  | Exclude<Extract<WasiName, `path_${string}`>, 'path_symlink'>
  | Extract<WasiName, `fd_filestat_set_${string}` | `fd_p${'read' | 'write'}`>
  | 'fd_advise'
  | 'fd_allocate'
  | 'fd_datasync'
  | 'fd_readdir'
  | 'fd_seek'
  | 'fd_sync'
  | 'fd_tell'

/** The calls that a program with nothing but streams is refused, and what each answers on an open stream. */
const ON_A_STREAM: Readonly<Record<RefusedOnAStream, Errno>> = {
  fd_advise: ERRNO.spipe,
  fd_allocate: ERRNO.spipe,
  fd_datasync: ERRNO.inval,
  fd_filestat_set_size: ERRNO.inval,
  fd_filestat_set_times: ERRNO.notcapable,
  fd_pread: ERRNO.spipe,
  fd_pwrite: ERRNO.spipe,
  fd_readdir: ERRNO.notdir,
  fd_seek: ERRNO.spipe,
  fd_sync: ERRNO.inval,
  fd_tell: ERRNO.spipe,
  path_create_directory: ERRNO.notdir,
  path_filestat_get: ERRNO.notdir,
  path_filestat_set_times: ERRNO.notdir,
  path_link: ERRNO.notdir,
  path_open: ERRNO.notdir,
  path_readlink: ERRNO.notdir,
  path_remove_directory: ERRNO.notdir,
  path_rename: ERRNO.notdir,
  path_unlink_file: ERRNO.notdir
}

type RefusedName = RefusedOnAStream | Extract<WasiName, `sock_${string}`> | 'path_symlink'

/** Every call that needs a file, a folder or a socket, on a stream: present, so that programs link, and refused. */
export function refusedCalls(descriptors: DescriptorTable): Record<RefusedName, WasiCall> {
  const refuse = (errno: Errno) => (descriptor: number) => {
    descriptors.get(descriptor)
    return errno
  }
  const refuseSocket = (number: number): number => {
    const descriptor = descriptors.get(number)
    const isChannel = descriptor.kind === 'stream' && descriptor.stream === CHANNEL_DESCRIPTOR
    return isChannel ? ERRNO.notcapable : ERRNO.notsock
  }
  return {
    ...byName(ON_A_STREAM, refuse),
    sock_accept: refuseSocket,
    sock_recv: refuseSocket,
    sock_send: refuseSocket,
    sock_shutdown: refuseSocket,
    path_symlink: (_target: number, _targetBytes: number, descriptor: number) => {
      descriptors.get(descriptor)
      return ERRNO.notdir
    }
  }
}

const PRESTAT_BYTES = 8
/** Kinds of what is open before the program is; WASI names the first alone. */
const PREOPENED = { folder: 0, stream: 1 } as const

/** What is open before the program is. */
export function preopenCalls({
  memory,
  descriptors,
  askFiles
}: WasiHost): Record<'fd_prestat_get' | 'fd_prestat_dir_name', WasiCall> {
  const preopenAt = (number: number): { kind: number; name: Uint8Array } => {
    const descriptor = descriptors.get(number)
    if (descriptor.kind === 'folder' && descriptor.preopen !== undefined) {
      return { kind: PREOPENED.folder, name: new TextEncoder().encode(descriptor.preopen) }
    }
    // C libraries look from 3 on and stop at the first BADF: where a folder follows, the channel is not the end.
    const isChannel = descriptor.kind === 'stream' && descriptor.stream === CHANNEL_DESCRIPTOR
    if (isChannel && askFiles !== undefined) return { kind: PREOPENED.stream, name: new Uint8Array(0) }
    throw new WasiError(ERRNO.badf)
  }
  return {
    fd_prestat_get: (number: number, result: number) => {
      const { kind, name } = preopenAt(number)
      memory.bytes(result, PRESTAT_BYTES).fill(0)[0] = kind
      memory.setU32((result >>> 0) + 4, name.byteLength)
      return ERRNO.success
    },
    fd_prestat_dir_name: (number: number, address: number, length: number) => {
      const { name } = preopenAt(number)
      if (length >>> 0 < name.byteLength) return ERRNO.nametoolong
      memory.bytes(address, name.byteLength).set(name)
      return ERRNO.success
    }
  }
}

function byName<K extends string>(
  errnos: Readonly<Record<K, Errno>>,
  refuse: (errno: Errno) => WasiCall
): Record<K, WasiCall> {
  const calls = Object.entries<Errno>(errnos).map(([name, errno]) => [name, refuse(errno)] as const)
  return Object.fromEntries(calls) as Record<K, WasiCall>
}
