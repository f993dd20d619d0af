import { CHANNEL_DESCRIPTOR } from './constants.ts'
import type { DescriptorTable } from './descriptors.ts'
import { ERRNO, type Errno } from './errno.ts'
import type { WasiCall } from './host.ts'
import type { WasiName } from './signatures.ts'

type RefusedOnAStream =
  | Exclude<Extract<WasiName, `path_${string}`>, 'path_symlink'>
  | Extract<WasiName, `fd_filestat_set_${string}` | `fd_p${'read' | 'write'}`>
  | 'fd_advise'
  | 'fd_allocate'
  | 'fd_datasync'
  | 'fd_readdir'
  | 'fd_renumber'
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
  fd_renumber: ERRNO.notsup,
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

type RefusedName =
  | RefusedOnAStream
  | Extract<WasiName, `sock_${string}`>
  | 'fd_prestat_get'
  | 'fd_prestat_dir_name'
  | 'path_symlink'

/** Every call that needs a file, a folder or a socket: present, so that programs link, and refused. */
export function refusedCalls(descriptors: DescriptorTable): Record<RefusedName, WasiCall> {
  const refuse = (errno: Errno) => (descriptor: number) => {
    descriptors.get(descriptor)
    return errno
  }
  const refuseSocket = (descriptor: number): number =>
    descriptors.get(descriptor).number === CHANNEL_DESCRIPTOR ? ERRNO.notcapable : ERRNO.notsock
  return {
    ...byName(ON_A_STREAM, refuse),
    sock_accept: refuseSocket,
    sock_recv: refuseSocket,
    sock_send: refuseSocket,
    sock_shutdown: refuseSocket,
    // No folder is preopened; a C library stops looking at the first BADF.
    fd_prestat_get: () => ERRNO.badf,
    fd_prestat_dir_name: () => ERRNO.badf,
    path_symlink: (_target: number, _targetBytes: number, descriptor: number) => {
      descriptors.get(descriptor)
      return ERRNO.notdir
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
