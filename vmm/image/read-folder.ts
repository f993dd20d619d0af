import { VmmError } from '../errors.ts'
import type { ImageEntry } from './entries.ts'
import { erofsImage } from './erofs.ts'
import { systemImagePowers, type FolderEntry, type ImageFolderPowers } from './powers.ts'

/** Folders that a guest puts file systems on; an image without them could not be a root. */
const MOUNT_POINTS = ['dev', 'proc', 'tmp'] as const

/**
 * Everything in a folder as entries of a root image, and the folders that a guest needs in one. Owners, times and all modes but
 * "executable" are left behind: two people with the same files make the same image.
 *
 * @throws VmmError `ERR_VM_IMAGE` for what an image does not hold: a device, a pipe, a socket
 */
export async function readImageFolder(powers: ImageFolderPowers, folder: string): Promise<ImageEntry[]> {
  const entries: ImageEntry[] = MOUNT_POINTS.map((path) => ({ kind: 'folder', path }))
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

/**
 * Makes the root image `file` of all that is in `folder`.
 *
 * @throws VmmError `ERR_VM_IMAGE`, also for more than `bytesMax` bytes: there is no file then
 */
export async function makeRootImage(folder: string, file: string, bytesMax: number): Promise<void> {
  const image = erofsImage(await readImageFolder(systemImagePowers, folder))
  await systemImagePowers.writeFile(file, atMost(bytesMax, image))
}

async function* atMost(bytesMax: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new VmmError('ERR_VM_IMAGE', `expected an image of at most ${bytesMax} bytes`)
    yield chunk
  }
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
