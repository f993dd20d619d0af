import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorDetail, errorMessage } from '#contracts'
import {
  buildGuest,
  erofsImage,
  systemGuestBuildPowers,
  type GuestBuildPowers,
  type GuestFiles,
  type ImageEntry
} from '#vmm'
import { ROOT } from './cli.ts'
import { needs, skipBecause } from './requirements.ts'

const run = promisify(execFile)
/** Where nothing can be downloaded that is to be known long before the time of a suite is over. */
const APT_OPTIONS = ['-o', 'Acquire::Retries=0', '-o', 'Acquire::http::Timeout=15']
const RUN_SECONDS_MAX = 90
const POWERS: GuestBuildPowers = {
  ...systemGuestBuildPowers,
  run: (command, args, folder) => {
    const options = command === 'apt-get' ? APT_OPTIONS : []
    const limited = ['--signal=KILL', String(RUN_SECONDS_MAX), command, ...options, ...args]
    return systemGuestBuildPowers.run('timeout', limited, folder)
  }
}
const CACHE = join(ROOT, 'node_modules', '.cache')

/** A guest that machines of tests start, and a shell for their root images. */
export interface TestGuest {
  readonly guest: GuestFiles
  /** A shell and its programs in one file. */
  readonly busybox: Uint8Array
  /** Entries of a root image with `/bin/busybox` and `/bin/sh`. */
  readonly shell: readonly ImageEntry[]
}

/**
 * The guest, built once for these sources and kept beside the other caches. Skips the running test or suite where a machine, the
 * jail or what a guest is built of is missing.
 */
export async function provideGuest(context: Mocha.Context): Promise<TestGuest> {
  await needs(context, 'qemu', 'bubblewrap', 'prlimit')
  try {
    return await buildTestGuest()
  } catch (thrown) {
    const why = errorDetail(thrown).at(-1) ?? ''
    return skipBecause(context, `no guest could be built: ${errorMessage(thrown)} ${why}`.trim())
  }
}

let built: Promise<TestGuest> | undefined

/** The guest of {@link provideGuest}; tried once in a process. @throws why it could not be built */
export function buildTestGuest(): Promise<TestGuest> {
  return (built ??= buildOnce())
}

async function buildOnce(): Promise<TestGuest> {
  const folder = join(CACHE, `guest-${await sourcesHash()}`)
  if (!existsSync(folder)) await buildGuest(POWERS, { arch: 'x86_64', output: folder })
  const busybox = await readFile(await provideBusybox())
  const shell: ImageEntry[] = [
    {
      kind: 'file',
      path: 'bin/busybox',
      bytes: busybox.byteLength,
      isExecutable: true,
      content: () => [busybox]
    },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    ...['dev', 'proc', 'tmp'].map((path) => ({ kind: 'folder', path }) as const)
  ]
  return { guest: { kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd') }, busybox, shell }
}

/** Writes a root image of `entries` to a file. */
export async function writeImage(path: string, entries: readonly ImageEntry[]): Promise<void> {
  await writeFile(path, erofsImage(entries))
}

async function sourcesHash(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of ['vmm/guest', 'vmm/guest/init', 'vmm/image']) {
    for (const name of (await readdir(join(ROOT, folder))).toSorted()) {
      if (/\.(ts|c|h)$/.test(name)) hash.update(name).update(await readFile(join(ROOT, folder, name)))
    }
  }
  return hash.digest('hex').slice(0, 16)
}

/** Debian's static busybox, unpacked and not installed. */
async function provideBusybox(): Promise<string> {
  const target = join(CACHE, 'busybox-static')
  if (existsSync(target)) return target
  const folder = await mkdtemp(`${target}-`)
  try {
    await run('apt-get', ['--quiet', ...APT_OPTIONS, 'download', 'busybox-static'], {
      cwd: folder,
      timeout: RUN_SECONDS_MAX * 1000,
      killSignal: 'SIGKILL'
    })
    const archive = (await readdir(folder)).find((name) => name.endsWith('.deb')) ?? ''
    await run('dpkg-deb', ['--extract', archive, 'unpacked'], { cwd: folder })
    await rename(join(folder, 'unpacked', 'bin', 'busybox'), target)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return target
}
