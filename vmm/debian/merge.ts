import { VmmError } from '../errors.ts'
import type { ImageEntry } from '../image/entries.ts'
import type { PackageContent } from './unpack.ts'

/** Folders of the root that are links into `usr` on every Debian of today, whatever a package still calls them. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']

/**
 * The files of packages as one root, and over them those of the capsule's own folder, which may replace what packages have.
 *
 * @throws VmmError `ERR_VM_PACKAGES` when two packages have the same file
 */
export function mergeRoots(packages: readonly PackageContent[], own: readonly ImageEntry[]): ImageEntry[] {
  const found = new Map<string, { entry: ImageEntry; owner: string | undefined }>()
  const add = (original: ImageEntry, owner: string | undefined): void => {
    // Packages that bring the links themselves; they are made below.
    if (original.kind === 'link' && MERGED.includes(original.path)) return
    const entry = { ...original, path: mergedPath(original.path) }
    const before = found.get(entry.path)
    const isFolderTwice = before?.entry.kind === 'folder' && entry.kind === 'folder'
    if (isFolderTwice) return
    if (before !== undefined && owner !== undefined) {
      throw new VmmError(
        'ERR_VM_PACKAGES',
        `expected each file from one package, ${before.owner ?? 'one'} and ${owner} have ${entry.path}`
      )
    }
    found.set(entry.path, { entry, owner })
  }
  for (const { name, entries } of packages) for (const entry of entries) add(entry, name)
  for (const entry of own) add(entry, undefined)
  const paths = [...found.keys()]
  const links = MERGED.filter((top) => paths.some((path) => path.startsWith(`usr/${top}/`)))
  return [
    ...[...found.values()].map(({ entry }) => entry),
    ...links.map((top) => ({ kind: 'link', path: top, target: `usr/${top}` }) as const)
  ]
}

function mergedPath(path: string): string {
  const [top = ''] = path.split('/')
  return MERGED.includes(top) ? `usr/${path}` : path
}
