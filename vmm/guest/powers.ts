import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode } from '#contracts'
import { VmmError } from '../errors.ts'

/** A program that ran to its end. */
export interface ProgramEnd {
  /** Its exit code; 127 when it does not exist or was killed. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What the building of a guest takes from the operating system. */
export interface GuestBuildPowers {
  /** Runs a program in `folder`, without input. */
  run(command: string, args: readonly string[], folder: string): Promise<ProgramEnd>
  /** Makes an empty folder that is removed when disposed. */
  makeTemporaryFolder(): Promise<AsyncDisposable & { readonly path: string }>
  /** Paths of all files below a folder, relative to it. */
  listFiles(folder: string): Promise<string[]>
  readFile(path: string): Promise<Uint8Array>
  /**
   * Writes all of `files` into the new folder `folder`, or nothing. Files of the same names that were there before are replaced;
   * when somebody else writes the same folder meanwhile, theirs is kept.
   *
   * @throws VmmError `ERR_VM_GUEST_BUILD` when there is anything else
   */
  writeFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>
  /** The folder with the sources of a guest's first process. */
  readonly initSources: string
}

const RUN_MS_MAX = 5 * 60 * 1000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' }

/** The operating system's own powers. */
export const systemGuestBuildPowers: GuestBuildPowers = {
  run: (command, args, folder) =>
    new Promise((resolve) => {
      const options = { cwd: folder, timeout: RUN_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, env: ENVIRONMENT }
      execFile(command, [...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
        resolve({ code, stdout, stderr: stderr === '' ? (error?.message ?? '') : stderr })
      })
    }),
  makeTemporaryFolder: async () => {
    const path = await mkdtemp(join(tmpdir(), 'elastos-guest-'))
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
  },
  listFiles: async (folder) => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  },
  readFile: (path) => readFile(path),
  writeFolder,
  initSources: fileURLToPath(new URL('init', import.meta.url))
}

async function writeFolder(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folder = resolve(path)
  await refuseOthers(folder, new Set(files.keys()))
  await mkdir(dirname(folder), { recursive: true })
  // Beside the place it goes to, so that it comes there whole or not at all.
  const aside = await mkdtemp(`${folder}-`)
  try {
    const fresh = join(aside, 'new')
    await mkdir(fresh, { mode: 0o700 })
    for (const [name, bytes] of files) await writeFile(join(fresh, name), bytes)
    await rename(folder, join(aside, 'old')).catch(unless('ENOENT'))
    // There is one only when somebody built the same meanwhile.
    await rename(fresh, folder).catch(unless('ENOTEMPTY', 'EEXIST'))
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

/** Whatever else lies in a folder, nobody asked for its removal. */
async function refuseOthers(folder: string, names: ReadonlySet<string>): Promise<void> {
  const isOurs = await readdir(folder, { withFileTypes: true }).then(
    (entries) => entries.every((entry) => entry.isFile() && names.has(entry.name)),
    (thrown: unknown) => errorCode(thrown) === 'ENOENT'
  )
  if (isOurs) return
  const text = `expected a new folder for a guest or one with a guest in it, ${folder} holds something else`
  throw new VmmError('ERR_VM_GUEST_BUILD', text)
}

function unless(...codes: readonly string[]): (thrown: unknown) => void {
  return (thrown) => {
    if (!codes.includes(errorCode(thrown) ?? '')) throw thrown
  }
}
