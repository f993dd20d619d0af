import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { errorCode } from '#contracts'
import { makeTemporaryFolder, runProgram, type ProgramEnd } from '../guest/powers.ts'

/** What the making of images from packages takes from the operating system. */
export interface DebianPowers {
  /** Runs a program in a folder, without input. */
  run(
    command: string,
    args: readonly string[],
    options: { folder: string; signal: AbortSignal }
  ): Promise<ProgramEnd>
  /** Makes an empty folder that is removed when disposed. */
  makeTemporaryFolder(): Promise<AsyncDisposable & { readonly path: string }>
  /** Makes a folder and those on the way. */
  makeFolder(path: string): Promise<void>
  /** Names of what is directly in a folder; none when there is no such folder. */
  listFolder(path: string): Promise<string[]>
  /** The text of a file of at most `bytesMax`, `undefined` when there is none. A longer one is cut. */
  readFile(path: string, bytesMax: number): Promise<string | undefined>
  /** Replaces a file in one step. */
  writeFile(path: string, text: string): Promise<void>
  /** Length and SHA-256 of a file, `undefined` when it cannot be read. */
  measureFile(path: string): Promise<{ readonly bytes: number; readonly sha256: string } | undefined>
  /** Copies a file; it is there whole or not at all. */
  copyFile(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
}

/** The operating system's own powers. */
export const systemDebianPowers: DebianPowers = {
  run: (command, args, options) => runProgram(command, args, options),
  makeTemporaryFolder: () => makeTemporaryFolder('elastos-packages-'),
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true })
  },
  listFolder: (path) =>
    readdir(path).catch((thrown: unknown) => {
      if (errorCode(thrown) === 'ENOENT') return []
      throw thrown
    }),
  readFile: (path, bytesMax) =>
    readFile(path).then(
      (bytes) => bytes.subarray(0, bytesMax).toString('utf8'),
      (thrown: unknown) => {
        if (errorCode(thrown) === 'ENOENT') return undefined
        throw thrown
      }
    ),
  writeFile: (path, text) => whole(path, (fresh) => writeFile(fresh, text)),
  measureFile: async (path) => {
    const hash = createHash('sha256')
    try {
      await pipeline(createReadStream(path), hash)
      return { bytes: (await stat(path)).size, sha256: hash.digest('hex') }
    } catch {
      return undefined
    }
  },
  copyFile: (from, to) => whole(to, (fresh) => copyFile(from, fresh)),
  removeFile: (path) => rm(path, { force: true })
}

async function whole(path: string, write: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.${process.pid}.new`
  try {
    await write(fresh)
    await rename(fresh, path)
  } finally {
    await rm(fresh, { force: true })
  }
}
