import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A fresh folder of its own; disposing it removes everything in it. */
export interface TemporaryFolder extends AsyncDisposable {
  /** Absolute path, mode 0700. */
  readonly path: string
}

/**
 * Makes an empty folder below the system's temporary folder.
 *
 * @param prefix - begins the folder's name; short, because Unix socket paths inside have 107 bytes at most
 */
export async function createTemporaryFolder(prefix = 'elastos-'): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * Makes an empty folder below the system's temporary folder that outlives this process: whoever goes on with the work is
 * told its path. Removes those with the same name that processes left which are gone; call it when none of them is to go on.
 *
 * @param name - begins the folder's name, which ends with the process that made it
 */
export async function createLastingFolder(name: string): Promise<string> {
  for (const entry of await readdir(tmpdir())) {
    const maker = entry.startsWith(`${name}-`) ? /^(\d+)-/.exec(entry.slice(name.length + 1))?.[1] : undefined
    if (maker === undefined || isAlive(Number(maker))) continue
    // one of another user stays
    await rm(join(tmpdir(), entry), { recursive: true, force: true }).catch(() => undefined)
  }
  return await mkdtemp(join(tmpdir(), `${name}-${process.pid}-`))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // somebody else's cannot be asked, and are none of ours
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
