import {
  MANIFEST_BYTES_MAX,
  MANIFEST_PATH,
  MODULE_BYTES_MAX,
  PACKAGE_BYTES_MAX,
  PACKAGE_DEPTH_MAX,
  PACKAGE_FILE_BYTES_MAX,
  PACKAGE_FILES_MAX,
  PACKAGE_PATH_LENGTH_MAX
} from './constants.ts'
import { CapsuleError } from './errors.ts'
import { parseManifest, type CapsuleManifest } from './manifest.ts'
import type { VerifiedCapsule } from './signed-capsule.ts'
import { PRINTABLE_TEXT, printable } from './text.ts'

/** A file of a package. */
export interface PackageFile {
  /** Folders and name, joined by `/`, relative to the package. */
  readonly path: string
  /** Its length as the folder says. */
  readonly bytes: number
}

/** Reads a package, wherever it lies. Every byte it returns was checked against the package's root. */
export interface PackageReader {
  /** Every file of the package, in any order. */
  list(options: { signal: AbortSignal }): AsyncIterable<PackageFile>
  /**
   * All of one file.
   *
   * @throws when it is longer than `bytesMax`, or bytes are missing or wrong
   */
  read(path: string, options: { bytesMax: number; signal: AbortSignal }): Promise<Uint8Array>
}

/** What a whole package holds. */
export interface PackageSummary {
  readonly files: number
  readonly bytes: number
}

/** A package that was read to its last byte. */
export interface OpenedPackage extends PackageSummary {
  readonly manifest: CapsuleManifest
  /** The bytes of the entry. */
  readonly entry: Uint8Array
}

/**
 * Reads every file of a package to its end, so that a byte that is missing or wrong is found before anything runs.
 *
 * @throws CapsuleError `ERR_PACKAGE_INVALID` or `ERR_PACKAGE_TOO_LARGE`, or what the reader throws
 */
export async function verifyPackage(
  reader: PackageReader,
  options: { signal: AbortSignal }
): Promise<PackageSummary> {
  return walk(reader, { ...options, keep: () => undefined })
}

/**
 * Reads all of a package as {@link verifyPackage} does, and its manifest and entry, and checks that the manifest says
 * what was signed. `release` is absent for an unsigned package, which is the caller's own risk.
 *
 * @throws CapsuleError as {@link verifyPackage} and {@link parseManifest}; `ERR_CAPSULE_NAME_MISMATCH` or
 * `ERR_CAPSULE_VERSION_MISMATCH` when manifest and signature disagree
 */
export async function openPackage(
  reader: PackageReader,
  options: { signal: AbortSignal; release?: VerifiedCapsule | undefined }
): Promise<OpenedPackage> {
  const manifestBytes = await readManifestFile(reader, options.signal)
  const manifest = parseManifest(manifestBytes)
  if (options.release !== undefined) checkRelease(manifest, options.release)
  let entry: Uint8Array | undefined
  const summary = await walk(reader, {
    signal: options.signal,
    keep: (path, bytes) => {
      if (path === manifest.entry) entry = bytes
    }
  })
  if (entry === undefined) throw invalid(`expected the entry ${manifest.entry} in the package, got none`)
  // An image is a file like any other to its package; a module is compiled.
  if (manifest.substrate === 'wasm' && entry.byteLength > MODULE_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_MODULE_TOO_LARGE',
      `expected an entry of at most ${MODULE_BYTES_MAX} bytes, got ${entry.byteLength}`
    )
  }
  return { ...summary, manifest, entry }
}

async function readManifestFile(reader: PackageReader, signal: AbortSignal): Promise<Uint8Array> {
  let isThere = false
  let files = 0
  for await (const file of reader.list({ signal })) {
    if (++files > PACKAGE_FILES_MAX) throw tooManyFiles()
    if (file.path !== MANIFEST_PATH) continue
    isThere = true
    if (file.bytes > MANIFEST_BYTES_MAX) {
      throw new CapsuleError(
        'ERR_MANIFEST_TOO_LARGE',
        `expected a manifest of at most ${MANIFEST_BYTES_MAX} bytes, got ${file.bytes}`
      )
    }
  }
  if (!isThere) throw invalid(`expected a ${MANIFEST_PATH} in the package, got none`)
  return reader.read(MANIFEST_PATH, { bytesMax: MANIFEST_BYTES_MAX, signal })
}

async function walk(
  reader: PackageReader,
  { signal, keep }: { signal: AbortSignal; keep: (path: string, bytes: Uint8Array) => void }
): Promise<PackageSummary> {
  const seen = new Set<string>()
  let total = 0
  for await (const file of reader.list({ signal })) {
    signal.throwIfAborted()
    checkPath(file.path)
    if (seen.has(file.path)) throw invalid('expected every path once')
    seen.add(file.path)
    if (seen.size > PACKAGE_FILES_MAX) throw tooManyFiles()
    if (file.bytes > PACKAGE_FILE_BYTES_MAX || total + file.bytes > PACKAGE_BYTES_MAX) {
      throw tooLarge(total + file.bytes)
    }
    const bytes = await reader.read(file.path, { bytesMax: PACKAGE_FILE_BYTES_MAX, signal })
    // A folder's own figures are not trusted: what was read counts.
    total += bytes.byteLength
    if (total > PACKAGE_BYTES_MAX) throw tooLarge(total)
    keep(file.path, bytes)
  }
  return { files: seen.size, bytes: total }
}

function checkPath(path: string): void {
  const parts = path.split('/')
  const isPlain =
    path.length <= PACKAGE_PATH_LENGTH_MAX &&
    parts.length <= PACKAGE_DEPTH_MAX &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..') &&
    PRINTABLE_TEXT.test(path)
  if (!isPlain) throw invalid(`expected plain relative paths, got ${JSON.stringify(printable(path, 120))}`)
}

function checkRelease(manifest: CapsuleManifest, release: VerifiedCapsule): void {
  if (manifest.name !== release.name) {
    throw new CapsuleError(
      'ERR_CAPSULE_NAME_MISMATCH',
      `expected a manifest of ${release.name}, got one of ${manifest.name}`
    )
  }
  if (manifest.version !== release.version) {
    throw new CapsuleError(
      'ERR_CAPSULE_VERSION_MISMATCH',
      `expected a manifest of version ${release.version}, got ${manifest.version}`
    )
  }
}

function invalid(what: string): CapsuleError {
  return new CapsuleError('ERR_PACKAGE_INVALID', what)
}

function tooManyFiles(): CapsuleError {
  return new CapsuleError('ERR_PACKAGE_TOO_LARGE', `expected at most ${PACKAGE_FILES_MAX} files in a package`)
}

function tooLarge(bytes: number): CapsuleError {
  return new CapsuleError(
    'ERR_PACKAGE_TOO_LARGE',
    `expected files of at most ${PACKAGE_FILE_BYTES_MAX} and a package of at most ${PACKAGE_BYTES_MAX} bytes, got ${bytes}`
  )
}
