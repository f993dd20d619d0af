import { mkdtemp, rm } from 'node:fs/promises'
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
