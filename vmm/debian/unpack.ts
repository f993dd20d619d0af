import type { ImageEntry } from '../image/entries.ts'
import type { ImageFolderPowers } from '../image/powers.ts'
import { readFolderEntries } from '../image/folder-entries.ts'
import {
  VM_DEBIAN_CACHE_BYTES_MAX,
  VM_DEBIAN_LIST_BYTES_MAX,
  VM_DEBIAN_UNPACKED_BYTES_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import { openApt, type Apt } from './apt.ts'
import {
  checkBounds,
  formatPackageLock,
  parsePackageList,
  parsePackageLock,
  type LockedPackage,
  type PackageLock
} from './package-list.ts'
import type { DebianPowers } from './powers.ts'

/** Where a list of packages is and what belongs to it. */
export interface DebianSource {
  /** `debian.json`: `{ "version": 1, "packages": ["busybox-static"] }`. */
  readonly list: string
  /** Where what was found for it is kept, beside it; one for each kind of processor: `FOLDER/debian.lock.ARCH.json`. */
  readonly locks: string
}

/** What is in one package. */
export interface PackageContent {
  readonly name: string
  readonly entries: readonly ImageEntry[]
}

/** What images are made of packages with. */
export interface UnpackComponents {
  readonly powers: DebianPowers
  readonly imagePowers: ImageFolderPowers
}

/**
 * Everything in the packages of a list and in those they depend on. What was found for the list the first time is kept beside it
 * and taken again, to the byte: from the cache of this user, where only what apt had verified is put, else by apt. The record alone
 * brings nothing in, whoever wrote it. Packages are unpacked and nothing of them is run: what their scripts would do at an installation is
 * not done.
 *
 * @param init.folder - an empty one; what is returned is read from there
 * @throws VmmError `ERR_VM_APT_MISSING`, `ERR_VM_PACKAGES`, `ERR_VM_PACKAGES_CHANGED`
 */
export async function unpackPackages(
  { powers, imagePowers }: UnpackComponents,
  source: DebianSource,
  init: { folder: string; signal: AbortSignal }
): Promise<PackageContent[]> {
  const list = parsePackageList((await powers.readFile(source.list, VM_DEBIAN_LIST_BYTES_MAX + 1)) ?? '')
  const apt = await openApt(powers, init)
  const work: Work = { powers, apt, folder: init.folder }
  const lockFile = `${source.locks}/debian.lock.${apt.arch}.json`
  const known = await readLock(powers, lockFile)
  const isKnown = known?.arch === apt.arch && known.wanted.join(' ') === list.join(' ')
  const packages = isKnown ? await provide(work, known.packages) : await find(work, list)
  if (!isKnown) await powers.writeFile(lockFile, formatPackageLock(lockOf(apt.arch, list, packages)))
  const contents: PackageContent[] = []
  let bytesMax = VM_DEBIAN_UNPACKED_BYTES_MAX
  for (const one of packages) {
    const target = `${init.folder}/unpacked/${one.name}`
    await powers.makeFolder(target)
    bytesMax -= await apt.extract(one.file, target, bytesMax)
    contents.push({ name: one.name, entries: await readFolderEntries(imagePowers, target) })
  }
  return contents
}

interface Work {
  readonly powers: DebianPowers
  readonly apt: Apt
  /** Of this build alone. */
  readonly folder: string
}

/** A package with its bytes, in the folder of this build. */
interface HeldPackage extends LockedPackage {
  readonly file: string
}

async function readLock(powers: DebianPowers, path: string): Promise<PackageLock | undefined> {
  const text = await powers.readFile(path, VM_DEBIAN_LIST_BYTES_MAX + 1)
  return text === undefined ? undefined : parsePackageLock(text)
}

function lockOf(arch: string, wanted: readonly string[], packages: readonly HeldPackage[]): PackageLock {
  return { version: 1, arch, wanted, packages: packages.map(({ file: _, ...one }) => one) }
}

/** What there is now for a list, downloaded. */
async function find(work: Work, wanted: readonly string[]): Promise<HeldPackage[]> {
  const packages = await download(work, await work.apt.find(wanted))
  const missing = wanted.find((name) => !packages.some((one) => one.name === name))
  if (missing !== undefined) {
    throw new VmmError('ERR_VM_PACKAGES', `expected a package ${missing}, apt has one of another name for it`)
  }
  checkBounds(packages)
  return packages
}

/** The packages of a lock, to the byte: those that are in the cache, and the others by apt. */
async function provide(work: Work, packages: readonly LockedPackage[]): Promise<HeldPackage[]> {
  const held = new Map<string, string>()
  for (const { sha256 } of packages) {
    const file = await takeFromCache(work, sha256)
    if (file !== undefined) held.set(sha256, file)
  }
  const absent = packages.filter(({ sha256 }) => !held.has(sha256))
  const wanted = absent.map(({ name, version }) => `${name}=${version}`)
  const got = await download(work, wanted).catch((cause: unknown) => {
    if (!(cause instanceof VmmError)) throw cause
    throw changed(`expected ${wanted.join(', ')}, of which this was made before, from apt`, cause)
  })
  for (const one of absent) {
    const same = got.find(({ name }) => name === one.name)
    if (same?.sha256 !== one.sha256) {
      const found = same?.sha256 ?? 'none'
      throw changed(`expected ${one.name} ${one.version} with SHA-256 ${one.sha256}, got ${found}`)
    }
    held.set(one.sha256, same.file)
  }
  return packages.map((one) => ({ ...one, file: held.get(one.sha256) ?? '' }))
}

/** Downloads packages into the folder of this build, and keeps them for the next one. */
async function download(work: Work, wanted: readonly string[]): Promise<HeldPackage[]> {
  if (wanted.length === 0) return []
  const { powers, apt } = work
  const folder = await apt.download(wanted)
  const packages: HeldPackage[] = []
  for (const { name } of await powers.listFiles(folder)) {
    const file = `${folder}/${name}`
    const measured = name.endsWith('.deb') ? await powers.measureFile(file) : undefined
    if (measured === undefined) continue
    packages.push({ ...(await apt.describe(file)), ...measured, file })
  }
  // What is not kept is downloaded again: a full disk, or a home that nobody may write to.
  await keep(work, packages).catch(() => undefined)
  return packages.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** A copy, which nobody changes between the look at it and its unpacking; `undefined` when it is not there as it was kept. */
async function takeFromCache({ powers, folder }: Work, sha256: string): Promise<string | undefined> {
  const target = `${folder}/kept`
  const file = `${target}/${sha256}.deb`
  await powers.makeFolder(target)
  await powers.copyFile(cachePath(powers, sha256), file).catch(() => undefined)
  return (await powers.measureFile(file))?.sha256 === sha256 ? file : undefined
}

async function keep({ powers }: Work, packages: readonly HeldPackage[]): Promise<void> {
  await powers.makeFolder(powers.cacheFolder)
  for (const { sha256, file } of packages) await powers.copyFile(file, cachePath(powers, sha256))
  const kept = (await powers.listFiles(powers.cacheFolder)).filter(({ name }) => CACHED.test(name))
  let bytes = 0
  for (const one of kept.toSorted((a, b) => b.writtenMs - a.writtenMs)) {
    bytes += one.bytes
    if (bytes > VM_DEBIAN_CACHE_BYTES_MAX) await powers.removeFile(`${powers.cacheFolder}/${one.name}`)
  }
}

/** Also one that was not written to its end. */
const CACHED = /^[0-9a-f]{64}\.deb/

function cachePath({ cacheFolder }: DebianPowers, sha256: string): string {
  return `${cacheFolder}/${sha256}.deb`
}

function changed(expected: string, cause?: VmmError): VmmError {
  return new VmmError('ERR_VM_PACKAGES_CHANGED', expected, {
    cause,
    detail: [
      ...(cause?.detail ?? []),
      'remove debian.lock.*.json to take what there is now: the image is another one then'
    ]
  })
}
