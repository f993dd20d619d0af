import { basename, dirname } from 'node:path'
import type { z } from 'zod'
import type { Random } from '#contracts'
import { readPrivateFile, writePrivateFile, type PrivateFiles, type PrivatePath } from '#did'

/** What files that only their user may read are kept with. */
export interface PrivateJsonComponents {
  /** Usually `systemPrivateFiles`. */
  readonly files: PrivateFiles
  readonly random: Random
}

/** One JSON file that only its user may read, replaced in one step. */
export interface PrivateJson<T> {
  /**
   * What is in the file; `undefined` when there is none.
   *
   * @throws DidError an `ERR_FILE_…` code, or what `corrupt` makes when the content is not what it should be
   */
  read(): Promise<T | undefined>
  /** Replaces the content. Calls are done one after the other, in order. */
  write(value: T): Promise<void>
}

/** How a {@link PrivateJson} is read. */
export interface PrivateJsonInit<T> {
  readonly path: string
  readonly schema: z.ZodType<T>
  readonly bytesMax: number
  readonly corrupt: (cause: unknown) => Error
}

/** The file at `init.path`. */
export function createPrivateJson<T>(
  components: PrivateJsonComponents,
  init: PrivateJsonInit<T>
): PrivateJson<T> {
  const place: PrivatePath = { folder: dirname(init.path), name: basename(init.path) }
  let writing: Promise<void> = Promise.resolve()
  return {
    read: async () => {
      const bytes = await readPrivateFile(components.files, place, init.bytesMax)
      if (bytes === undefined) return undefined
      try {
        return init.schema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
      } catch (cause) {
        throw init.corrupt(cause)
      }
    },
    write: async (value) => {
      const bytes = Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)
      const write = async (): Promise<void> => {
        await writePrivateFile(components.files, place, { bytes, mode: 'replace', random: components.random })
      }
      const written = writing.then(write)
      writing = written.catch(() => undefined)
      await written
    }
  }
}
