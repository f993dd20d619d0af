import { mergeRoots } from '../debian/merge.ts'
import { systemDebianPowers } from '../debian/powers.ts'
import { unpackPackages, type DebianSource, type UnpackComponents } from '../debian/unpack.ts'
import { VmmError } from '../errors.ts'
import type { ImageEntry } from './entries.ts'
import { erofsImage } from './erofs.ts'
import { readFolderEntries } from './folder-entries.ts'
import { systemImagePowers, type ImageFolderPowers } from './powers.ts'

/** Folders that a guest puts file systems on; an image without them could not be a root. */
const MOUNT_POINTS = ['dev', 'proc', 'tmp'] as const

/** A root image to make. */
export interface RootImageInit {
  /** The folder it is made of. */
  readonly folder?: string | undefined
  /** Packages of Debian that are below what is in the folder. */
  readonly packages?: DebianSource | undefined
  /** The image. It is there whole in the end, or what was there before. */
  readonly file: string
  readonly bytesMax: number
  readonly signal: AbortSignal
}

/**
 * Everything in a folder as entries of a root image, and the folders that a guest needs in one. Owners, times and all modes but
 * "executable" are left behind: two people with the same files make the same image.
 *
 * @throws VmmError `ERR_VM_IMAGE` for what an image does not hold: a device, a pipe, a socket
 */
export async function readImageFolder(powers: ImageFolderPowers, folder: string): Promise<ImageEntry[]> {
  return [...mountPoints(), ...(await readFolderEntries(powers, folder))]
}

/**
 * Makes a root image of a folder, of packages of Debian, or of both: the same bytes for the same files and packages.
 *
 * @throws VmmError `ERR_VM_IMAGE`, also for more than `bytesMax` bytes; `ERR_VM_APT_MISSING`, `ERR_VM_PACKAGES`,
 * `ERR_VM_PACKAGES_CHANGED`. There is no new file then.
 */
export async function makeRootImage(
  init: RootImageInit,
  components: UnpackComponents = { powers: systemDebianPowers, imagePowers: systemImagePowers }
): Promise<void> {
  const { folder, packages, file, bytesMax, signal } = init
  const { imagePowers } = components
  await using unpacked = await components.powers.makeTemporaryFolder()
  const own = folder === undefined ? [] : await readFolderEntries(imagePowers, folder)
  const entries =
    packages === undefined
      ? own
      : mergeRoots(await unpackPackages(components, packages, { folder: unpacked.path, signal }), own)
  const image = erofsImage([...mountPoints(), ...entries])
  await imagePowers.writeFile(file, atMost(bytesMax, image))
}

function mountPoints(): ImageEntry[] {
  return MOUNT_POINTS.map((path) => ({ kind: 'folder', path }))
}

async function* atMost(bytesMax: number, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new VmmError('ERR_VM_IMAGE', `expected an image of at most ${bytesMax} bytes`)
    yield chunk
  }
}
