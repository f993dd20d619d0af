import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { copyFile, lstat, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { errorCode } from '#contracts'
import { makeTemporaryFolder, programOptions, runProgram, type ProgramEnd } from '../guest/powers.ts'
import { replaceWhole } from '../image/powers.ts'

/** What the making of images from packages takes from the operating system. */
export interface DebianPowers {
  /** The folder of the user's own where downloaded packages are kept. */
  readonly cacheFolder: string
  /** Runs a program in a folder, without input. */
  run(
    command: string,
    args: readonly string[],
    options: { folder: string; signal: AbortSignal }
  ): Promise<ProgramEnd>
  /**
   * How many bytes a program writes to its standard output; it is ended as soon as they are more than `bytesMax`. `undefined` when it
   * did not end well.
   */
  measureOutput(
    command: string,
    args: readonly string[],
    options: { folder: string; signal: AbortSignal; bytesMax: number }
  ): Promise<number | undefined>
  /** Makes an empty folder that is removed when disposed. */
  makeTemporaryFolder(): Promise<AsyncDisposable & { readonly path: string }>
  /** Makes a folder and those on the way, for its owner alone. */
  makeFolder(path: string): Promise<void>
  /** The files directly in a folder; none when there is no such folder. */
  listFiles(path: string): Promise<DebianFile[]>
  /** The text of a file of at most `bytesMax`, `undefined` when there is none or it is a link. A longer one is cut. */
  readFile(path: string, bytesMax: number): Promise<string | undefined>
  /** Replaces a file in one step. */
  writeFile(path: string, text: string): Promise<void>
  /** Length and SHA-256 of a file, `undefined` when it cannot be read. */
  measureFile(path: string): Promise<{ readonly bytes: number; readonly sha256: string } | undefined>
  /** Copies a file; it is there whole or not at all. @throws when there is none */
  copyFile(from: string, to: string): Promise<void>
  removeFile(path: string): Promise<void>
}

/** A file of a folder. */
export interface DebianFile {
  readonly name: string
  readonly bytes: number
  /** When it was written, in milliseconds of the epoch. */
  readonly writtenMs: number
}

/** The operating system's own powers. */
export const systemDebianPowers: DebianPowers = {
  cacheFolder: join(cacheFolder(), 'elastos', 'debian'),
  run: (command, args, options) => runProgram(command, args, options),
  measureOutput,
  makeTemporaryFolder: () => makeTemporaryFolder('elastos-packages-'),
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  listFiles,
  readFile: readPlainFile,
  writeFile: (path, text) => replaceWhole(path, (fresh) => writeFile(fresh, text, { flag: 'wx' })),
  measureFile: async (path) => {
    const hash = createHash('sha256')
    try {
      await pipeline(createReadStream(path), hash)
      return { bytes: (await stat(path)).size, sha256: hash.digest('hex') }
    } catch {
      return undefined
    }
  },
  copyFile: (from, to) => replaceWhole(to, (fresh) => copyFile(from, fresh, constants.COPYFILE_EXCL)),
  removeFile: (path) => rm(path, { force: true })
}

/** Of the XDG Base Directory Specification, which says to ignore a relative path. */
function cacheFolder(): string {
  const chosen = process.env['XDG_CACHE_HOME']
  return chosen?.startsWith('/') === true ? chosen : join(homedir(), '.cache')
}

async function measureOutput(
  command: string,
  args: readonly string[],
  { bytesMax, ...init }: { folder: string; signal: AbortSignal; bytesMax: number }
): Promise<number | undefined> {
  const child = spawn(command, [...args], { ...programOptions(init), stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>((done) => {
    child.once('close', done)
    child.once('error', () => done(null))
  })
  let bytes = 0
  try {
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) break
    }
  } catch {
    // How it ended says what this was.
  }
  if (bytes > bytesMax) child.kill('SIGKILL')
  const code = await ended
  return code === 0 || bytes > bytesMax ? bytes : undefined
}

async function listFiles(path: string): Promise<DebianFile[]> {
  const names = await readdir(path).catch((thrown: unknown) => {
    if (errorCode(thrown) === 'ENOENT') return []
    throw thrown
  })
  const files = names.map(async (name): Promise<DebianFile[]> => {
    // Another build may remove one meanwhile.
    const stats = await lstat(join(path, name)).catch(() => undefined)
    return stats?.isFile() === true ? [{ name, bytes: stats.size, writtenMs: stats.mtimeMs }] : []
  })
  return (await Promise.all(files)).flat()
}

async function readPlainFile(path: string, bytesMax: number): Promise<string | undefined> {
  const stats = await lstat(path).catch((thrown: unknown) => {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  })
  // What a link or a pipe in somebody else's package leads to is nothing to read.
  if (stats?.isFile() !== true) return undefined
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, 0)
  return buffer.subarray(0, bytesRead).toString('utf8')
}
