import type { Clock } from '#contracts'
import {
  MANIFEST_BYTES_MAX,
  MANIFEST_PATH,
  MODULE_BYTES_MAX,
  PACKAGE_FILE_BYTES_MAX,
  PACKAGE_LIST_PATH
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { capsuleLimits } from '../limits.ts'
import { parseManifest, type CapsuleManifest } from '../manifest.ts'
import type { HostPowers } from '../powers.ts'
import { printable } from '../text.ts'
import { admitModule } from '../wasm/admission.ts'
import { compileEntry } from './compile-entry.ts'
import { makeEntryFolder, refuseLink } from './entry-folder.ts'

/** What {@link buildCapsule} works with. */
export interface BuildComponents {
  powers: HostPowers
  clock: Clock
  /** Makes the root image of a capsule of a microVM that has one made. */
  makeImage?: ((init: CapsuleImageInit) => Promise<void>) | undefined
}

/** A root image to make. Paths are absolute. */
export interface CapsuleImageInit {
  /** The folder that is in it. */
  readonly folder?: string | undefined
  /** The list of Debian's packages that are below that, and where what was found for it is kept. */
  readonly packages?: { readonly list: string; readonly locks: string } | undefined
  readonly file: string
  readonly bytesMax: number
  readonly signal: AbortSignal
}

/** What {@link buildCapsule} made, or found. */
export interface BuiltCapsule {
  readonly manifest: CapsuleManifest
  /** Bytes of the entry. */
  readonly entryBytes: number
  /** False when the manifest has no `build` and the entry was only checked. */
  readonly isCompiled: boolean
}

/**
 * Makes the entry of the capsule in `folder`, as its manifest's `build` says, or finds it there when it has none; then
 * admits it by the same rules as when it runs. The same sources give the same bytes.
 *
 * @throws CapsuleError `ERR_MANIFEST_INVALID` and others of {@link parseManifest}; `ERR_CAPSULE_BUILD` with the
 * compiler's words as `detail`; `ERR_CAPSULE_BUILD_TIME_LIMIT`; `ERR_PACKAGE_INVALID` when there is no entry; or why
 * the module was not admitted
 */
export async function buildCapsule(
  components: BuildComponents,
  init: { folder: string; signal: AbortSignal }
): Promise<BuiltCapsule> {
  const { powers } = components
  const folder = await powers.resolvePath(init.folder)
  const manifestBytes =
    folder === undefined
      ? undefined
      : await powers.readFile(`${folder}/${MANIFEST_PATH}`, MANIFEST_BYTES_MAX + 1)
  if (folder === undefined || manifestBytes === undefined) {
    throw new CapsuleError(
      'ERR_PACKAGE_INVALID',
      `expected a ${MANIFEST_PATH} in ${printable(init.folder, 400)}, got none`
    )
  }
  const manifest = parseManifest(manifestBytes)
  if (manifest.build !== undefined) {
    await compileEntry(components, { folder, manifest, build: manifest.build, signal: init.signal })
  }
  if (manifest.substrate === 'microvm') {
    return await buildImage(components, { folder, manifest, signal: init.signal })
  }
  const entry = await readEntry(powers, folder, manifest)
  admitModule(entry, capsuleLimits(manifest))
  return { manifest, entryBytes: entry.byteLength, isCompiled: manifest.build !== undefined }
}

async function buildImage(
  { powers, makeImage }: BuildComponents,
  { folder, manifest, signal }: { folder: string; manifest: CapsuleManifest; signal: AbortSignal }
): Promise<BuiltCapsule> {
  const { entry, image } = manifest
  const file = `${folder}/${entry}`
  const list = `${folder}/${PACKAGE_LIST_PATH}`
  const hasList = (await powers.fileBytes(list)) !== undefined
  const isMade = (image !== undefined || hasList) && makeImage !== undefined
  if (isMade) {
    await makeEntryFolder(powers, folder, entry)
    const source = image === undefined ? undefined : `${folder}/${image}`
    if (source !== undefined) await refuseLink(powers, source)
    await makeImage({
      folder: source,
      packages: hasList ? { list, locks: folder } : undefined,
      ...{ file, bytesMax: PACKAGE_FILE_BYTES_MAX, signal }
    })
  }
  const entryBytes = await powers.fileBytes(file)
  if (entryBytes === undefined) throw noEntry(entry)
  if (entryBytes > PACKAGE_FILE_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_PACKAGE_TOO_LARGE',
      `expected an image of at most ${PACKAGE_FILE_BYTES_MAX} bytes, got ${entryBytes}`
    )
  }
  return { manifest, entryBytes, isCompiled: isMade }
}

function noEntry(entry: string): CapsuleError {
  return new CapsuleError('ERR_PACKAGE_INVALID', `expected the entry ${entry} in the package, got none`)
}

async function readEntry(powers: HostPowers, folder: string, manifest: CapsuleManifest): Promise<Uint8Array> {
  const path = `${folder}/${manifest.entry}`
  const size = await powers.fileBytes(path)
  if (size === undefined) throw noEntry(manifest.entry)
  // One byte more than fits, so that a module that is too large is refused as that.
  return (await powers.readFile(path, Math.min(size, MODULE_BYTES_MAX + 1))) ?? new Uint8Array(0)
}
