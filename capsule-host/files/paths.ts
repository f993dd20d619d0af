import { FILE_DEPTH_MAX, FILE_NAME_BYTES_MAX, FILE_PATH_BYTES_MAX } from './constants.ts'
import { FileError } from './errors.ts'

// eslint-disable-next-line no-control-regex -- what is looked for
const CONTROL = /[\x00-\x1f\x7f]/

/**
 * Checks that `path` is of the one form of {@link CapsuleFiles} and returns its names; of the root none.
 *
 * @throws FileError `ERR_FILE_PATH`, `ERR_FILE_NAME_TOO_LONG`
 */
export function checkFilePath(path: string): readonly string[] {
  if (path === '') return []
  if (CONTROL.test(path)) throw new FileError('ERR_FILE_PATH', 'expected a path without control characters')
  if (!path.isWellFormed()) throw new FileError('ERR_FILE_PATH', 'expected a path in UTF-8')
  if (Buffer.byteLength(path) > FILE_PATH_BYTES_MAX) {
    throw new FileError('ERR_FILE_NAME_TOO_LONG', `expected a path of at most ${FILE_PATH_BYTES_MAX} bytes`)
  }
  const names = path.split('/')
  if (names.length > FILE_DEPTH_MAX) {
    throw new FileError('ERR_FILE_NAME_TOO_LONG', `expected a path of at most ${FILE_DEPTH_MAX} names`)
  }
  for (const name of names) checkName(name)
  return names
}

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..') {
    throw new FileError('ERR_FILE_PATH', 'expected a relative path of plain names')
  }
  if (Buffer.byteLength(name) > FILE_NAME_BYTES_MAX) {
    throw new FileError('ERR_FILE_NAME_TOO_LONG', `expected names of at most ${FILE_NAME_BYTES_MAX} bytes`)
  }
}
