import type { ImageEntry } from '../image/entries.ts'
import type { ImageFolderPowers } from '../image/powers.ts'
import { readFolderEntries } from '../image/folder-entries.ts'
import { VM_DEBIAN_LIST_BYTES_MAX } from '../constants.ts'
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
  /** The folder where downloaded packages are kept. */
  readonly cache: string
}

/** What is in one package. */
export interface PackageContent {
  readonly name: string
  readonly entries: readonly ImageEntry[]
}

/** What {@link unpackPackages} works with. */
export interface UnpackComponents {
  readonly powers: DebianPowers
  readonly imagePowers: ImageFolderPowers
}

/**
 * Everything in the packages of a list and in those they depend on. What was found for the list the first time is kept beside it
 * and taken again, to the byte. Packages are unpacked and nothing of them is run: what their scripts would do at an installation is
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
  const work: Work = { powers, apt, source }
  const lockFile = `${source.locks}/debian.lock.${apt.arch}.json`
  const known = await readLock(powers, lockFile)
  await powers.makeFolder(source.cache)
  const isKnown = known?.arch === apt.arch && known.wanted.join(' ') === list.join(' ')
  const lock = isKnown ? known : await find(work, list)
  if (isKnown) await provide(work, lock.packages)
  else await powers.writeFile(lockFile, formatPackageLock(lock))
  await tidy(work, lock.packages)
  const contents: PackageContent[] = []
  for (const one of lock.packages) {
    const target = `${init.folder}/unpacked/${one.name}`
    await powers.makeFolder(target)
    await apt.extract(cachePath(work, one), target)
    contents.push({ name: one.name, entries: await readFolderEntries(imagePowers, target) })
  }
  return contents
}

interface Work {
  readonly powers: DebianPowers
  readonly apt: Apt
  readonly source: DebianSource
}

async function readLock(powers: DebianPowers, path: string): Promise<PackageLock | undefined> {
  const text = await powers.readFile(path, VM_DEBIAN_LIST_BYTES_MAX + 1)
  return text === undefined ? undefined : parsePackageLock(text)
}

/** What there is now for a list, downloaded. */
async function find(work: Work, wanted: readonly string[]): Promise<PackageLock> {
  const packages = await download(work, await work.apt.find(wanted))
  const missing = wanted.find((name) => !packages.some((one) => one.name === name))
  if (missing !== undefined) {
    throw new VmmError('ERR_VM_PACKAGES', `expected a package ${missing}, apt has one of another name for it`)
  }
  checkBounds(packages)
  return { version: 1, arch: work.apt.arch, wanted, packages }
}

/** Sees to it that the packages of a lock are in the cache, to the byte. */
async function provide(work: Work, packages: readonly LockedPackage[]): Promise<void> {
  const checked = await Promise.all(
    packages.map(async (one) => ({ one, found: await work.powers.measureFile(cachePath(work, one)) }))
  )
  const absent = checked.filter(({ one, found }) => found?.sha256 !== one.sha256).map(({ one }) => one)
  if (absent.length === 0) return
  const wanted = absent.map(({ name, version }) => `${name}=${version}`)
  const got = await download(work, wanted).catch((cause: unknown) => {
    if (!(cause instanceof VmmError)) throw cause
    throw changed(`expected ${wanted.join(', ')}, of which this was made before, from apt`, cause)
  })
  for (const one of absent) {
    const same = got.find(({ name }) => name === one.name)
    if (same?.sha256 === one.sha256) continue
    throw changed(
      `expected ${one.name} ${one.version} with SHA-256 ${one.sha256}, got ${same?.sha256 ?? 'none'}`
    )
  }
}

/** Downloads packages into the cache, under their hashes. */
async function download({ powers, apt, source }: Work, wanted: readonly string[]): Promise<LockedPackage[]> {
  const folder = wanted.length === 0 ? '' : await apt.download(wanted)
  const packages: LockedPackage[] = []
  for (const name of wanted.length === 0 ? [] : await powers.listFolder(folder)) {
    const file = `${folder}/${name}`
    const measured = name.endsWith('.deb') ? await powers.measureFile(file) : undefined
    if (measured === undefined) continue
    const one = { ...(await apt.describe(file)), ...measured }
    await powers.copyFile(file, cachePath({ source }, one))
    packages.push(one)
  }
  return packages.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Keeps what the present image is made of. */
async function tidy({ powers, source }: Work, packages: readonly LockedPackage[]): Promise<void> {
  const kept = new Set(packages.map((one) => cachePath({ source }, one)))
  for (const name of await powers.listFolder(source.cache)) {
    const path = `${source.cache}/${name}`
    if (/^[0-9a-f]{64}\.deb/.test(name) && !kept.has(path)) await powers.removeFile(path)
  }
}

function cachePath({ source }: Pick<Work, 'source'>, { sha256 }: Pick<LockedPackage, 'sha256'>): string {
  return `${source.cache}/${sha256}.deb`
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
