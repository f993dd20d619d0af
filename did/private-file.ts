import type { Random } from '#contracts'
import { TEMPORARY_SUFFIX } from './constants.ts'
import { DidError, type FileErrorCode } from './errors.ts'

/** What a file or folder is, without following a symbolic link. */
export interface PrivateFileStat {
  readonly kind: 'file' | 'folder' | 'other'
  /** Permission bits, 0 to 0o777. */
  readonly mode: number
  /** User id of the owner. */
  readonly ownerId: number
}

/** The file system operations that secrets need; `systemPrivateFiles` is the real one. */
export interface PrivateFiles {
  /** What is at `path`; `undefined` when nothing is. */
  stat(path: string): Promise<PrivateFileStat | undefined>
  /**
   * The first `bytesMax + 1` bytes of a file and what it was when opened; `undefined` when there is none. Never
   * follows a symbolic link and never waits on a pipe.
   */
  read(path: string, bytesMax: number): Promise<{ stat: PrivateFileStat; bytes: Uint8Array } | undefined>
  /** Creates the file with mode 0600 and syncs it; rejects with `EEXIST` when anything is at `path`. */
  createFile(path: string, bytes: Uint8Array): Promise<void>
  /** Gives the file a second name; rejects with `EEXIST` when that is taken. */
  link(path: string, newPath: string): Promise<void>
  /** Replaces whatever is at `newPath`. */
  rename(path: string, newPath: string): Promise<void>
  /** Removes a file; nothing there is no error. */
  remove(path: string): Promise<void>
  /** Creates a folder, with those above it, with mode 0700. */
  createFolder(path: string): Promise<void>
  /** Names in a folder. */
  list(folder: string): Promise<string[]>
  /** Makes renames and removals in a folder durable. */
  syncFolder(folder: string): Promise<void>
  /** The effective user id; `undefined` where users have none. */
  userId(): number | undefined
  /** The id of this process. */
  processId(): number
  /** Whether a process with this id runs. */
  isProcessAlive(processId: number): boolean
}

/** A file in a folder that only its user may read. */
export interface PrivatePath {
  /** The folder; mode 0700. */
  readonly folder: string
  /** The name of the file in it; mode 0600. */
  readonly name: string
}

function fileError(code: FileErrorCode, message: string, cause?: unknown): DidError {
  return new DidError(code, message, { cause })
}

/** The path as one word of a shell command. */
function shellWord(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`
}

function assertPrivate(
  files: PrivateFiles,
  path: string,
  found: { stat: PrivateFileStat; kind: 'file' | 'folder' }
): void {
  const { stat, kind } = found
  if (stat.kind !== kind)
    throw fileError('ERR_FILE_KIND', `expected a plain ${kind} at ${path}, got another kind`)
  const userId = files.userId()
  if (userId !== undefined && stat.ownerId !== userId) {
    throw fileError('ERR_FILE_OWNER', `expected ${path} to belong to you, got owner ${stat.ownerId}`)
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = kind === 'file' ? '600' : '700'
    throw fileError(
      'ERR_FILE_EXPOSED',
      `expected ${path} to be readable by you alone, got mode ${stat.mode.toString(8)}; ` +
        `mend it with: chmod ${mode} ${shellWord(path)}`
    )
  }
}

/** Runs `operation`, giving errors of the operating system a code and a sentence. */
async function guarded<T>(what: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation()
  } catch (thrown) {
    if (thrown instanceof DidError) throw thrown
    const system = systemErrorCode(thrown)
    if (system === 'EEXIST')
      throw fileError('ERR_FILE_EXISTS', `expected to ${what}, but it exists already`, thrown)
    if (system === 'ELOOP') throw fileError('ERR_FILE_KIND', `expected to ${what}, but it is a link`, thrown)
    throw fileError('ERR_FILE_IO', `expected to ${what}, the system said ${system ?? 'no'}`, thrown)
  }
}

function systemErrorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined
}

/** The place of a private file as one path. */
export function privatePathOf(place: PrivatePath): string {
  return `${place.folder}/${place.name}`
}

/**
 * Makes sure that a folder exists which only its user may enter.
 *
 * @throws DidError `ERR_FILE_EXPOSED`, `ERR_FILE_OWNER`, `ERR_FILE_KIND` or `ERR_FILE_IO`
 */
export async function ensurePrivateFolder(files: PrivateFiles, folder: string): Promise<void> {
  await guarded(`create the folder ${folder}`, async () => {
    if ((await files.stat(folder)) === undefined) await files.createFolder(folder)
    const stat = await files.stat(folder)
    if (stat !== undefined) assertPrivate(files, folder, { stat, kind: 'folder' })
  })
}

/**
 * The bytes of a private file; `undefined` when there is none.
 *
 * @throws DidError `ERR_FILE_EXPOSED` (with the command that mends it), `ERR_FILE_OWNER`, `ERR_FILE_KIND`,
 * `ERR_FILE_TOO_LARGE` or `ERR_FILE_IO`
 */
export async function readPrivateFile(
  files: PrivateFiles,
  place: PrivatePath,
  bytesMax: number
): Promise<Uint8Array | undefined> {
  const path = privatePathOf(place)
  return await guarded(`read ${path}`, async () => {
    const folder = await files.stat(place.folder)
    if (folder === undefined) return undefined
    assertPrivate(files, place.folder, { stat: folder, kind: 'folder' })
    const opened = await files.read(path, bytesMax)
    if (opened === undefined) return undefined
    assertPrivate(files, path, { stat: opened.stat, kind: 'file' })
    if (opened.bytes.length > bytesMax) {
      throw fileError('ERR_FILE_TOO_LARGE', `expected ${path} to have at most ${bytesMax} bytes`)
    }
    return opened.bytes
  })
}

/** What {@link writePrivateFile} writes. */
export interface PrivateWrite {
  readonly bytes: Uint8Array
  /** `replace` whatever is there, or refuse with `ERR_FILE_EXISTS` when anything is. */
  readonly mode: 'create' | 'replace'
  /** Names the temporary file. */
  readonly random: Random
}

/**
 * Writes a private file so that a crash at any moment leaves the old content or the new: a temporary file,
 * synced, takes the name, and the folder is synced.
 *
 * @throws DidError `ERR_FILE_EXISTS`, `ERR_FILE_EXPOSED`, `ERR_FILE_OWNER`, `ERR_FILE_KIND` or `ERR_FILE_IO`
 */
export async function writePrivateFile(
  files: PrivateFiles,
  place: PrivatePath,
  write: PrivateWrite
): Promise<void> {
  await ensurePrivateFolder(files, place.folder)
  const path = privatePathOf(place)
  const temporary = `${path}.${Buffer.from(write.random.bytes(8)).toString('hex')}${TEMPORARY_SUFFIX}`
  await guarded(`write ${path}`, async () => {
    try {
      await files.createFile(temporary, write.bytes)
      if (write.mode === 'create') await files.link(temporary, path)
      else await files.rename(temporary, path)
    } finally {
      await files.remove(temporary)
    }
    await files.syncFolder(place.folder)
  })
}

/**
 * Removes the temporary files of killed writers of `place`. Only for whoever holds what keeps other writers out.
 *
 * @throws DidError `ERR_FILE_IO`
 */
export async function removeLeftovers(files: PrivateFiles, place: PrivatePath): Promise<void> {
  await guarded(`tidy ${place.folder}`, async () => {
    for (const name of await files.list(place.folder)) {
      if (name.startsWith(`${place.name}.`) && name.endsWith(TEMPORARY_SUFFIX)) {
        await files.remove(`${place.folder}/${name}`)
      }
    }
  })
}

/**
 * Creates a private file at a path of the user's choice, whatever its folder allows; never overwrites.
 *
 * @throws DidError `ERR_FILE_EXISTS` or `ERR_FILE_IO`
 */
export async function createPrivateFile(files: PrivateFiles, path: string, bytes: Uint8Array): Promise<void> {
  await guarded(`create ${path}`, async () => {
    await files.createFile(path, bytes)
  })
}

/**
 * The bytes of a plain file at a path of the user's choice, whoever else may read it.
 *
 * @throws DidError `ERR_FILE_MISSING`, `ERR_FILE_KIND`, `ERR_FILE_TOO_LARGE` or `ERR_FILE_IO`
 */
export async function readFileAnywhere(
  files: PrivateFiles,
  path: string,
  bytesMax: number
): Promise<Uint8Array> {
  return await guarded(`read ${path}`, async () => {
    const opened = await files.read(path, bytesMax)
    if (opened === undefined) throw fileError('ERR_FILE_MISSING', `expected a file at ${path}, found none`)
    if (opened.stat.kind !== 'file') throw fileError('ERR_FILE_KIND', `expected a plain file at ${path}`)
    if (opened.bytes.length > bytesMax) {
      throw fileError('ERR_FILE_TOO_LARGE', `expected ${path} to have at most ${bytesMax} bytes`)
    }
    return opened.bytes
  })
}
