import { DEPTH_MAX } from './constants.ts'
import { nameProblem, printableName } from './entry-name.ts'
import { ContentError } from './errors.ts'
import { importFile, importFolder } from './import-dag.ts'
import type { BlockStore } from './block-store.ts'
import type { Imported, NamedImport } from './import-dag.ts'

/** A file that does not come from a disk. */
export interface FileEntry {
  /** Relative, with `/`: `wasm/main.wasm`. */
  readonly path: string
  readonly content: Uint8Array | AsyncIterable<Uint8Array>
}

/** What {@link importEntries} wrote. */
export interface ImportedEntries extends Imported {
  readonly bytes: number
  readonly files: number
}

type Folder = Map<string, Folder | Imported>

/**
 * Writes files as one folder; the same files give the same root in whatever order they come.
 *
 * @throws ContentError `ERR_PATH_INVALID` for a path that is unsafe, twice there, or a file and a folder;
 *   `ERR_CONTENT_TOO_LARGE`, `ERR_DISK_FULL`, `ERR_STORE_IO`
 */
export async function importEntries(
  entries: Iterable<FileEntry> | AsyncIterable<FileEntry>,
  o: { store: BlockStore; entriesMax: number; signal: AbortSignal }
): Promise<ImportedEntries> {
  const root: Folder = new Map()
  let bytes = 0
  let files = 0
  async function* counted(content: FileEntry['content']): AsyncGenerator<Uint8Array> {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      o.signal.throwIfAborted()
      bytes += chunk.length
      yield chunk
    }
  }
  for await (const { path, content } of entries) {
    if (++files > o.entriesMax) {
      throw new ContentError('ERR_CONTENT_TOO_LARGE', `expected at most ${o.entriesMax} files`)
    }
    const place = makePlace(root, path)
    place.folder.set(place.name, await importFile(counted(content), o.store))
  }
  return { ...(await writeFolder(root, o.store)), bytes, files }
}

/** The folder that will hold `path`, made with its parents. */
function makePlace(root: Folder, path: string): { folder: Folder; name: string } {
  const names = path.split('/')
  const name = names.pop() ?? ''
  const refuse = (why: string): never => {
    throw new ContentError(
      'ERR_PATH_INVALID',
      `expected a relative path, and of "${printableName(path)}" ${why}`
    )
  }
  // The names are for every system, so the strictest rules hold.
  const problem = [...names, name]
    .map((part) => nameProblem(part, 'win32'))
    .find((found) => found !== undefined)
  if (problem !== undefined) refuse(`one name: ${problem}`)
  if (names.length > DEPTH_MAX) refuse(`there are more than ${DEPTH_MAX} folders`)
  let folder = root
  for (const parent of names) {
    const next = folder.get(parent) ?? new Map<string, Folder | Imported>()
    if (!(next instanceof Map)) return refuse('a part is a file')
    folder.set(parent, next)
    folder = next
  }
  if (folder.has(name)) refuse('there are two')
  return { folder, name }
}

async function writeFolder(folder: Folder, store: BlockStore): Promise<Imported> {
  const entries: NamedImport[] = []
  for (const [name, entry] of folder) {
    entries.push({ name, ...(entry instanceof Map ? await writeFolder(entry, store) : entry) })
  }
  return await importFolder(entries, store)
}
