import { VmmError } from '../errors.ts'
import type { ImageEntry } from './entries.ts'
import type { FolderEntry, ImageFolderPowers } from './powers.ts'

/**
 * Everything in a folder as entries of an image. Owners, times and all modes but "executable" are left behind: two people with the
 * same files make the same image.
 *
 * @throws VmmError `ERR_VM_IMAGE` for what an image does not hold: a device, a pipe, a socket
 */
export async function readFolderEntries(
  powers: Pick<ImageFolderPowers, 'listFolder' | 'readFile'>,
  folder: string
): Promise<ImageEntry[]> {
  const entries: ImageEntry[] = []
  const open = ['']
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const found of await powers.listFolder(`${folder}/${path}`)) {
      const below = path === '' ? found.name : `${path}/${found.name}`
      if (found.kind === 'other') {
        throw new VmmError('ERR_VM_IMAGE', `expected files, folders and links in an image, ${below} is none`)
      }
      if (found.kind === 'folder') open.push(below)
      entries.push(entryOf(found, below, () => powers.readFile(`${folder}/${below}`)))
    }
  }
  return entries
}

function entryOf(
  found: Exclude<FolderEntry, { kind: 'other' }>,
  path: string,
  content: () => AsyncIterable<Uint8Array>
): ImageEntry {
  if (found.kind === 'folder') return { kind: 'folder', path }
  if (found.kind === 'link') return { kind: 'link', path, target: found.target }
  return { kind: 'file', path, bytes: found.bytes, isExecutable: found.isExecutable, content }
}
