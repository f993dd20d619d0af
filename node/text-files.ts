import { basename, dirname } from 'node:path'
import type { Random } from '#contracts'
import { readPrivateFile, removeLeftovers, writePrivateFile, type PrivateFiles, type PrivatePath } from '#did'

/** Small text files of the data folder that only their owner may read. */
export interface TextFiles {
  /**
   * The text of a file, or `undefined` when there is none.
   *
   * @throws DidError `ERR_FILE_TOO_LARGE`, `ERR_FILE_EXPOSED` and the other `ERR_FILE_…` codes
   */
  read(path: string, bytesMax: number): Promise<string | undefined>
  /** Replaces a file in one step, durable when it resolves; calls are done in order. @throws DidError an `ERR_FILE_…` code */
  replace(path: string, text: string): Promise<void>
}

/** Text files over the operating system's private files. */
export function createTextFiles(files: PrivateFiles, random: Random): TextFiles {
  let writing: Promise<void> = Promise.resolve()
  /** What a killed process left beside these is gone. */
  const tidied = new Set<string>()
  const place = (path: string): PrivatePath => ({ folder: dirname(path), name: basename(path) })
  return {
    read: async (path, bytesMax) => {
      const bytes = await readPrivateFile(files, place(path), bytesMax)
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
    },
    replace: async (path, text) => {
      const bytes = new TextEncoder().encode(text)
      const write = async (): Promise<void> => {
        await writePrivateFile(files, place(path), { bytes, mode: 'replace', random })
        if (tidied.has(path)) return
        tidied.add(path)
        await removeLeftovers(files, place(path))
      }
      const written = writing.then(write)
      writing = written.catch(() => undefined)
      await written
    }
  }
}
