import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { CapsuleError } from '../errors.ts'
import { TRACE_BYTES_MAX } from './constants.ts'

/** A trace on its way to the disk. */
export interface TraceFile extends AsyncDisposable {
  /** Writes `parts` one after the other. */
  write(parts: readonly Uint8Array[]): Promise<void>
}

/**
 * Makes the file of a trace, which only its owner can read: it holds what the capsule read.
 *
 * @throws CapsuleError `ERR_TRACE_FILE` when there is something already, or it cannot be made
 */
export async function createTraceFile(path: string): Promise<TraceFile> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600).catch((cause: unknown) => {
    throw new CapsuleError('ERR_TRACE_FILE', `expected to make a new file for the trace at ${path}`, {
      cause
    })
  })
  return {
    write: async (parts) => await writeAll(file, parts),
    [Symbol.asyncDispose]: async () => await file.close()
  }
}

async function writeAll(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  for (let left = parts.filter(({ byteLength }) => byteLength > 0); left.length > 0;) {
    let { bytesWritten } = await file.writev(left)
    // A disk that is nearly full takes a part of it, and then says so.
    const next = left.findIndex(({ byteLength }) => {
      if (byteLength > bytesWritten) return true
      bytesWritten -= byteLength
      return false
    })
    const cut = left[next]
    left = cut === undefined ? [] : [cut.subarray(bytesWritten), ...left.slice(next + 1)]
  }
}

/**
 * Reads the file of a trace.
 *
 * @throws CapsuleError `ERR_TRACE_FILE`, `ERR_TRACE_TOO_LARGE`
 */
export async function readTraceFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile()) throw new Error('it is no file')
    if (stats.size > TRACE_BYTES_MAX) {
      throw new CapsuleError('ERR_TRACE_TOO_LARGE', `expected a trace of at most ${TRACE_BYTES_MAX} bytes`)
    }
    return await file.readFile()
  } catch (cause) {
    if (cause instanceof CapsuleError) throw cause
    throw new CapsuleError('ERR_TRACE_FILE', `expected a trace that can be read at ${path}`, { cause })
  }
}
