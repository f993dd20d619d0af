import { watch } from 'node:fs'

/** How long a folder must rest before its change is told: an editor writes a file in several steps. */
const REST_MS = 150

/** Changes below a folder. */
export interface FolderWatch extends Disposable {
  /** Resolves with the next change, after the folder has rested; at once when there was one since the last call. */
  next(): Promise<void>
}

/**
 * Watches a folder and all below it, but for paths that `isIgnored` (relative to it).
 *
 * @throws Error of the operating system when it cannot be watched
 */
export function watchFolder(folder: string, isIgnored: (path: string) => boolean): FolderWatch {
  let hasChanged = false
  let wake: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(folder, { recursive: true }, (_kind, path) => {
    if (path !== null && isIgnored(path.replaceAll('\\', '/'))) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      hasChanged = true
      wake?.()
    }, REST_MS)
  })
  // A folder that goes away is no change to build.
  watcher.on('error', () => undefined)
  return {
    next: async () => {
      if (!hasChanged) await new Promise<void>((resolve) => (wake = resolve))
      hasChanged = false
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      watcher.close()
      wake?.()
    }
  }
}
