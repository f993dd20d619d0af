import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Something in a folder that becomes an image. */
export type FolderEntry =
  | { readonly name: string; readonly kind: 'folder' }
  | { readonly name: string; readonly kind: 'other' }
  | { readonly name: string; readonly kind: 'link'; readonly target: string }
  | { readonly name: string; readonly kind: 'file'; readonly bytes: number; readonly isExecutable: boolean }

/** What the making of an image takes from the operating system. */
export interface ImageFolderPowers {
  listFolder(path: string): Promise<FolderEntry[]>
  readFile(path: string): AsyncIterable<Uint8Array>
  /** Writes a file that is there whole or not at all; what was there before is replaced. */
  writeFile(path: string, content: AsyncIterable<Uint8Array>): Promise<void>
}

const EXECUTABLE = 0o111

/** The operating system's own powers. */
export const systemImagePowers: ImageFolderPowers = {
  listFolder: async (path) => {
    const names = await readdir(path)
    return Promise.all(names.map((name) => describe(path, name)))
  },
  readFile: (path) => createReadStream(path),
  writeFile: (path, content) => replaceWhole(path, (fresh) => writeFile(fresh, content, { flag: 'wx' }))
}

/**
 * Makes a file that is there whole or not at all.
 *
 * @param write - makes `fresh`, which must not exist: in a folder of somebody else's making a link may lie where one writes, and
 * nobody can guess this name
 */
export async function replaceWhole(path: string, write: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.${randomUUID()}.new`
  try {
    await write(fresh)
    await rename(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
}

async function describe(folder: string, name: string): Promise<FolderEntry> {
  const path = join(folder, name)
  const stats = await lstat(path)
  if (stats.isDirectory()) return { name, kind: 'folder' }
  if (stats.isSymbolicLink()) return { name, kind: 'link', target: await readlink(path) }
  if (!stats.isFile()) return { name, kind: 'other' }
  return { name, kind: 'file', bytes: stats.size, isExecutable: (stats.mode & EXECUTABLE) !== 0 }
}
