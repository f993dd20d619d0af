import { NAME_BYTES_MAX } from './constants.ts'
import { ContentError } from './errors.ts'

/** Names that open a device on Windows, whatever follows their first dot. */
const WINDOWS_DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i
const WINDOWS_CHARS = /[<>:"|?*]|[. ]$/
/**
 * C0 and C1 controls (terminal escapes among them), line and paragraph separators, bidirectional overrides and
 * isolates (they make a name look like another), the byte order mark, and halves of surrogate pairs.
 */
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u

/**
 * Why a name from fetched content must not become a file, or `undefined` when it may. The same rule decides
 * which local names are added, so that what was added can be got.
 */
export function nameProblem(name: string, platform: string): string | undefined {
  if (name === '') return 'it is empty'
  if (name === '.' || name === '..') return 'it names a folder above'
  if (name.includes('/') || name.includes('\\')) return 'it holds a path separator'
  if (UNSAFE.test(name)) return 'it holds control characters'
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `it is longer than ${NAME_BYTES_MAX} bytes`
  if (platform !== 'win32') return undefined
  return WINDOWS_DEVICES.test(name) || WINDOWS_CHARS.test(name) ? 'the system reserves it' : undefined
}

/** A name as it can be shown in an error or a list: unsafe characters as `\u{…}`, at most 64 characters. */
export function printableName(name: string): string {
  const safe = name.replace(
    new RegExp(UNSAFE, 'gu'),
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
  )
  return safe.length > 64 ? `${safe.slice(0, 63)}…` : safe
}

/**
 * Checks a name of fetched content.
 *
 * @throws ContentError `ERR_PATH_UNSAFE`
 */
export function checkName(name: string, platform: string): void {
  const problem = nameProblem(name, platform)
  if (problem !== undefined) {
    throw new ContentError(
      'ERR_PATH_UNSAFE',
      `expected a safe file name, and of "${printableName(name)}" ${problem}`
    )
  }
}

/**
 * Whether a symbolic link stays inside the tree it lies in, however the links of that tree are placed.
 *
 * Leading `..` climb from the folder the link is really in. A `..` after a name is refused even where it looks
 * harmless: that name may itself be a link, and `..` from where it leads may be outside.
 *
 * @param depth - folders between the root of the tree and the link: 0 for a link in the root
 */
export function linkStaysInside(target: string, depth: number): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\\') || target.includes('\0')) return false
  let climbed = 0
  let hasName = false
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') hasName = true
    else if (hasName || ++climbed > depth) return false
  }
  return !UNSAFE.test(target)
}
