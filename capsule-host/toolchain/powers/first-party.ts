import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MANIFEST_PATH } from '../../constants.ts'
import { CapsuleError } from '../../errors.ts'
import { parseManifest, type CapsuleManifest } from '../../manifest.ts'
import { openShipped, type ShippedCapsule } from '../shipped-capsule.ts'
import { compileTypeScript } from '../compile-typescript.ts'
import { loadToolchain } from './toolchain.ts'

/** A capsule that this release ships. */
export interface FirstPartyCapsule {
  readonly manifest: CapsuleManifest
  /** The manifest as it stands in its file. */
  readonly manifestBytes: Uint8Array
  readonly module: Uint8Array<ArrayBuffer>
  /** Who signed it, and what; absent for one that was compiled from its sources just now. */
  readonly shipped?: ShippedCapsule
}

/** Where a build puts them, beside the bundle. */
const FOLDER = 'capsules'
const HERE = import.meta.dirname
/** Their sources; there are none beside the bundle. */
const SOURCES = join(HERE, '..', '..', '..', 'capsules')

const compiled = new Map<string, Promise<FirstPartyCapsule>>()

/**
 * The capsule `name` of this release: beside the bundle, signed and verified, else compiled from its sources; once a process.
 *
 * @throws CapsuleError `ERR_CAPSULE_NOT_INSTALLED` when this release has none of that name; `ERR_CAPSULE_TAMPERED` for one that is
 * not as it was signed; `ERR_CAPSULE_BUILD` from sources
 */
export async function loadFirstPartyCapsule(name: string): Promise<FirstPartyCapsule> {
  const built = compiled.get(name) ?? load(name)
  compiled.set(name, built)
  try {
    return await built
  } catch (thrown) {
    // It may be mended, and a name that is none is not worth remembering.
    compiled.delete(name)
    throw thrown
  }
}

/** The names of the capsules there are sources of; for the build. */
export async function listFirstPartySources(): Promise<string[]> {
  const folders = await readdir(SOURCES).catch(() => [])
  return folders.filter((name) => existsSync(join(SOURCES, name, MANIFEST_PATH))).toSorted()
}

async function load(name: string): Promise<FirstPartyCapsule> {
  const beside = join(HERE, FOLDER, `${name}.capsule`)
  const isShipped = existsSync(beside) || existsSync(join(SOURCES, name, MANIFEST_PATH))
  if (!isShipped) {
    throw new CapsuleError('ERR_CAPSULE_NOT_INSTALLED', `no capsule of this release is called ${name}`)
  }
  if (!existsSync(beside)) return await compile(name)
  const { opened, ...signed } = await openShipped(await readFile(beside), name)
  // A copy, so that the file it was part of is not kept with it.
  const entry = Uint8Array.from(opened.entry)
  const { manifest } = opened
  return {
    ...{ manifest, manifestBytes: signed.manifestBytes, module: entry },
    shipped: { ...signed, opened: { ...opened, entry } }
  }
}

async function compile(name: string): Promise<FirstPartyCapsule> {
  const manifestBytes = await readFile(join(SOURCES, name, MANIFEST_PATH))
  const manifest = parseManifest(manifestBytes)
  const entry = join(SOURCES, name, manifest.build?.source ?? 'main.ts')
  return {
    manifest,
    manifestBytes,
    module: await compileTypeScript({ entry, toolchain: await loadToolchain() })
  }
}
