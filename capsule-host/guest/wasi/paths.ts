import { PATH_BYTES_MAX, PATH_NAME_BYTES_MAX } from './constants.ts'
import { ERRNO, WasiError } from './errno.ts'

/** A path as the host takes it, from the root of the program's files. */
export interface ResolvedPath {
  readonly path: string
  /** The path ended with a slash, `.` or `..`: only a folder will do. */
  readonly isFolder: boolean
  /** The path named the folder it started from, or ended in `.` or `..`: nothing can be made or removed there. */
  readonly isDot: boolean
}

const SLASH = 0x2f

/**
 * Resolves what a program calls a file below the folder at `base`: `.` and `..` are taken out, and nothing leads above
 * that folder. The host takes no such path, so a mistake here is refused there.
 *
 * @throws WasiError `NOENT` for no path, `ILSEQ`, `NAMETOOLONG`, `NOTCAPABLE` for an absolute path or one that leads out
 */
export function resolvePath(base: string, bytes: Uint8Array): ResolvedPath {
  if (bytes.byteLength === 0) throw new WasiError(ERRNO.noent)
  if (bytes.byteLength > PATH_BYTES_MAX) throw new WasiError(ERRNO.nametoolong)
  if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) throw new WasiError(ERRNO.ilseq)
  if (bytes[0] === SLASH) throw new WasiError(ERRNO.notcapable)
  const parts = decode(bytes).split('/')
  const names: string[] = []
  for (const part of parts) {
    if (part === '' || part === '.') continue
    if (part !== '..') names.push(checkName(part))
    else if (names.pop() === undefined) throw new WasiError(ERRNO.notcapable)
  }
  const last = parts.at(-1)
  const lastName = parts.findLast((part) => part !== '')
  const isDot = lastName === '.' || lastName === '..'
  return { path: joinPath(base, names), isFolder: last === '' || isDot, isDot }
}

/** The path of the folder that holds `path`; of the root itself. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function joinPath(base: string, names: readonly string[]): string {
  return [...(base === '' ? [] : [base]), ...names].join('/')
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new WasiError(ERRNO.ilseq)
  }
}

function checkName(name: string): string {
  if (new TextEncoder().encode(name).byteLength > PATH_NAME_BYTES_MAX) throw new WasiError(ERRNO.nametoolong)
  return name
}
