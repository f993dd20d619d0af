import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import * as z from 'zod'
import { decodeCanonical, encodeCanonical, type Did, type Signer } from '#did'
import { MANIFEST_PATH, PACKAGE_BYTES_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { parseManifest } from '../manifest.ts'
import { packageRoot } from '../package-root.ts'
import { openPackage, type OpenedPackage, type PackageReader } from '../package.ts'
import { signCapsule, verifyCapsule } from '../signed-capsule.ts'

/** How a signed capsule lies beside the bundle: one file, so that a new build replaces all of it in one step. */
const shippedSchema = z.strictObject({
  version: z.literal(1),
  /** The signed capsule block. */
  signed: z.instanceof(Uint8Array),
  manifest: z.instanceof(Uint8Array),
  entry: z.instanceof(Uint8Array)
})

const DAG_CBOR = 0x71
const SHA2_256 = 0x12

/** A capsule that came with this release, signed and verified. */
export interface ShippedCapsule {
  /** CID of the signed capsule. */
  readonly cid: string
  readonly root: string
  readonly publisher: Did
  readonly manifestBytes: Uint8Array
  readonly opened: OpenedPackage
}

/** Signs a capsule and packs it for a release. @throws CapsuleError as `parseManifest` and `signCapsule` */
export async function packShipped(
  publisher: Signer,
  { manifest, entry }: { readonly manifest: Uint8Array; readonly entry: Uint8Array }
): Promise<Uint8Array> {
  const { name, version, entry: path } = parseManifest(manifest)
  const root = await packageRoot(filesOf({ manifest, entry }, path))
  const signed = signCapsule(publisher, { root, name, version })
  return encodeCanonical({
    version: 1,
    signed,
    manifest: Uint8Array.from(manifest),
    entry: Uint8Array.from(entry)
  })
}

/**
 * Reads and verifies what {@link packShipped} made: the signature, every byte of the package against the signed root, and the
 * manifest against what was signed, as for a capsule from anywhere else.
 *
 * @throws CapsuleError `ERR_CAPSULE_TAMPERED` and the codes of `verifyCapsule`, `parseManifest` and `openPackage`
 */
export async function openShipped(bytes: Uint8Array, name: string): Promise<ShippedCapsule> {
  const packed = unpack(bytes)
  const release = verifyCapsule(packed.signed, { name })
  const files = filesOf(packed, parseManifest(packed.manifest).entry)
  const root = await packageRoot(files)
  if (!root.equals(release.root)) throw tampered('its files are not those of the signed root')
  const { signal } = new AbortController()
  const opened = await openPackage(readerOf(files), { signal, release })
  const digest = createDigest(SHA2_256, createHash('sha256').update(packed.signed).digest())
  const cid = CID.createV1(DAG_CBOR, digest).toString()
  const { publisher } = release
  return { cid, root: root.toString(), publisher, manifestBytes: Uint8Array.from(packed.manifest), opened }
}

function unpack(bytes: Uint8Array): z.infer<typeof shippedSchema> {
  try {
    return shippedSchema.parse(decodeCanonical(bytes, { bytesMax: PACKAGE_BYTES_MAX, depthMax: 2 }))
  } catch (cause) {
    throw tampered('it is not a capsule of a release', cause)
  }
}

function filesOf(
  { manifest, entry }: { readonly manifest: Uint8Array; readonly entry: Uint8Array },
  path: string
): Map<string, Uint8Array> {
  return new Map([
    [MANIFEST_PATH, manifest],
    [path, entry]
  ])
}

function readerOf(files: ReadonlyMap<string, Uint8Array>): PackageReader {
  return {
    list: async function* () {
      for (const [path, { byteLength }] of files) yield await Promise.resolve({ path, bytes: byteLength })
    },
    read: async (path) => await Promise.resolve(files.get(path) ?? new Uint8Array())
  }
}

function tampered(what: string, cause?: unknown): CapsuleError {
  return new CapsuleError('ERR_CAPSULE_TAMPERED', `the shipped capsule is not as it was signed: ${what}`, {
    cause
  })
}
