import { execFile } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCode } from '#contracts'
import { VmmError } from '../errors.ts'
import { GUEST_FILES } from './description.ts'

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
  /** @throws VmmError `ERR_VM_GUEST_BUILD` when `writeFolder` would refuse the folder */
  checkFolder(folder: string): Promise<void>
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
/** By what apt finds its set-up and the way out of the network. */
const APT_VARIABLES = ['APT_CONFIG', 'http_proxy', 'https_proxy', 'no_proxy']

/** The operating system's own powers. */
export const systemGuestBuildPowers: GuestBuildPowers = {
  run: (command, args, folder) => runProgram(command, args, { folder }),
  makeTemporaryFolder: () => makeTemporaryFolder('elastos-guest-'),
  checkFolder: (path) => refuseOthers(resolve(path)),
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

/** Runs a program without input to its end, or until `signal` aborts; 127 stands for one that does not exist or was killed. */
export function runProgram(
  command: string,
  args: readonly string[],
  init: { folder: string; signal?: AbortSignal }
): Promise<ProgramEnd> {
  const options = { ...programOptions(init), maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((done) => {
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127
      done({ code, stdout, stderr: stderr === '' ? (error?.message ?? '') : stderr })
    })
  })
}

/** With what programs are started here. */
export function programOptions({ folder, signal }: { folder: string; signal?: AbortSignal }): {
  readonly cwd: string
  readonly timeout: number
  readonly env: Record<string, string>
  readonly signal?: AbortSignal
} {
  const inherited = APT_VARIABLES.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return {
    ...{ cwd: folder, timeout: RUN_MS_MAX },
    env: { ...ENVIRONMENT, ...(Object.fromEntries(inherited) as Record<string, string>) },
    ...(signal === undefined ? {} : { signal })
  }
}

/** A build ends long before it is so old: such a folder was left by one that was killed. */
const LEFT_AFTER_MS = 24 * 60 * 60 * 1_000

/**
 * Makes an empty folder in `parent` that is removed when disposed, and removes those that builds left there which were killed, as
 * far as it can.
 */
export async function makeTemporaryFolder(
  prefix: string,
  parent: string = tmpdir()
): Promise<AsyncDisposable & { readonly path: string }> {
  await removeLeft(prefix, parent)
  const path = await mkdtemp(join(parent, prefix))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** The parent is everybody's: only folders that are ours are touched, and one that goes meanwhile is gone. */
async function removeLeft(prefix: string, parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue
    const path = join(parent, name)
    const found = await lstat(path).catch(() => undefined)
    if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) continue
    if (Date.now() - found.mtimeMs >= LEFT_AFTER_MS) await removeIfPossible(path)
  }
}

/**
 * Mends what a kill in the middle of {@link GuestBuildPowers.writeFolder} leaves: puts back the guest that was to be replaced when
 * there is none, and removes what is half-written as far as it can. Only for whoever alone writes that folder.
 */
export async function mendGuestFolder(path: string): Promise<void> {
  const folder = resolve(path)
  const asides = await findAsides(folder)
  const isThere = await lstat(folder).then(
    () => true,
    (thrown: unknown) => errorCode(thrown) !== 'ENOENT'
  )
  const lost = isThere ? undefined : asides.find(({ names }) => names.includes('old'))
  if (lost !== undefined) await rename(join(lost.path, 'old'), folder)
  for (const aside of asides) await removeIfPossible(aside.path)
}

async function removeIfPossible(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

/** Where guests were written beside their folder, the last one first. */
async function findAsides(folder: string): Promise<{ path: string; names: string[]; changedMs: number }[]> {
  const found: { path: string; names: string[]; changedMs: number }[] = []
  const entries = await readdir(dirname(folder), { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const end = entry.name.startsWith(basename(folder)) ? entry.name.slice(basename(folder).length) : ''
    if (!entry.isDirectory() || !/^-[0-9A-Za-z]{6}$/.test(end)) continue
    const path = join(dirname(folder), entry.name)
    const names = await readdir(path).catch(() => undefined)
    const facts = await lstat(path).catch(() => undefined)
    if (names === undefined || facts === undefined) continue
    // Another folder of a name like that is somebody's.
    if (!names.every((name) => name === 'new' || name === 'old')) continue
    found.push({ path, names, changedMs: facts.mtimeMs })
  }
  return found.toSorted((a, b) => b.changedMs - a.changedMs)
}

async function writeFolder(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folder = resolve(path)
  await refuseOthers(folder)
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
async function refuseOthers(folder: string): Promise<void> {
  const isOurs = await readdir(folder, { withFileTypes: true }).then(
    (entries) => entries.every((entry) => entry.isFile() && GUEST_FILES.has(entry.name)),
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
