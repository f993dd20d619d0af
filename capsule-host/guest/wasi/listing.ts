import type { FolderDescriptor, ListedEntry } from './descriptors.ts'
import { ERRNO } from './errno.ts'
import type { FileClient } from './file-client.ts'
import type { WasiHost } from './host.ts'
import { parentPath } from './paths.ts'
import { FILE_TYPE } from './rights.ts'

const DIRENT_BYTES = 24

/**
 * `fd_readdir`: fills the buffer with entries from `cookie` on, the last one cut where the buffer ends. A listing that
 * begins anew (cookie 0) asks the host; further calls see what it saw.
 */
export async function writeListing(
  { host, client }: { host: WasiHost; client: FileClient },
  folder: FolderDescriptor,
  at: { buffer: number; length: number; cookie: bigint; result: number }
): Promise<number> {
  if (at.cookie === 0n || folder.listing === undefined) folder.listing = await listing(client, folder.path)
  const target = host.memory.bytes(at.buffer, at.length)
  let filled = 0
  const from = BigInt.asUintN(64, at.cookie)
  const first = from > BigInt(folder.listing.length) ? folder.listing.length : Number(from)
  for (const [index, entry] of folder.listing.slice(first).entries()) {
    if (filled >= target.byteLength) break
    const dirent = encodeDirent(entry, first + index + 1).subarray(0, target.byteLength - filled)
    target.set(dirent, filled)
    filled += dirent.byteLength
  }
  host.memory.setU32(at.result, filled)
  return ERRNO.success
}

async function listing(client: FileClient, path: string): Promise<ListedEntry[]> {
  const text = new TextEncoder()
  const self = await client.stat(path, false)
  const parent = path === '' ? self : await client.stat(parentPath(path), false)
  return [
    { name: text.encode('.'), inode: self.inode, fileType: FILE_TYPE.folder },
    { name: text.encode('..'), inode: parent.inode, fileType: FILE_TYPE.folder },
    ...(await client.list(path))
  ]
}

function encodeDirent({ name, inode, fileType }: ListedEntry, next: number): Uint8Array {
  const bytes = new Uint8Array(DIRENT_BYTES + name.byteLength)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(next), true)
  view.setBigUint64(8, inode, true)
  view.setUint32(16, name.byteLength, true)
  view.setUint8(20, fileType)
  bytes.set(name, DIRENT_BYTES)
  return bytes
}
