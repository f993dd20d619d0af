import { FileError } from '../files/errors.ts'
import { checkFilePath } from '../files/paths.ts'
import {
  decodeEntry,
  encodeEntry,
  entryKey,
  nameOfKey,
  ROOT_INODE,
  type Entry,
  type PlacedEntry
} from './entry.ts'
import type { Volume } from './volume.ts'

/** A place where something is or could be. */
export interface Place {
  /** The inode of the folder. */
  readonly folder: number
  readonly name: string
}

const ROOT: Place = { folder: 0, name: '' }

/** The place a path names; what is on the way must be folders. @throws FileError `ERR_FILE_NOT_FOUND`, `ERR_FILE_NOT_FOLDER` */
export async function placeOf(volume: Volume, path: string): Promise<Place> {
  const names = checkFilePath(path)
  let place = ROOT
  for (const name of names) {
    const entry = await entryAt(volume, place)
    if (entry === undefined) throw notFound()
    if (entry.kind !== 'folder')
      throw new FileError('ERR_FILE_NOT_FOLDER', 'expected a folder, a file is there')
    place = { folder: entry.inode, name }
  }
  return place
}

/** What is at a place, if anything. */
export async function entryAt(volume: Volume, place: Place): Promise<PlacedEntry | undefined> {
  const value = await volume.tree.get(entryKey(place.folder, place.name))
  return value === undefined ? undefined : { ...decodeEntry(value), ...place }
}

/** What is at a path. @throws FileError `ERR_FILE_NOT_FOUND` */
export async function findEntry(volume: Volume, path: string): Promise<PlacedEntry> {
  const entry = await entryAt(volume, await placeOf(volume, path))
  if (entry === undefined) throw notFound()
  return entry
}

/** What is in a folder, by name. */
export async function* entriesIn(volume: Volume, folder: number): AsyncGenerator<PlacedEntry> {
  const prefix = entryKey(folder, '')
  for await (const [key, value] of volume.tree.list(prefix)) {
    yield { ...decodeEntry(value), folder, name: nameOfKey(key) }
  }
}

/** Whether nothing is in a folder. */
export async function isFolderEmpty(volume: Volume, folder: number): Promise<boolean> {
  for await (const _entry of entriesIn(volume, folder)) return false
  return true
}

/** Puts an entry at a place. */
export async function putEntry(volume: Volume, place: Place, entry: Entry): Promise<void> {
  await volume.tree.set(entryKey(place.folder, place.name), encodeEntry(entry))
}

/** Takes the entry away from a place. */
export async function deleteEntry(volume: Volume, place: Place): Promise<void> {
  await volume.tree.delete(entryKey(place.folder, place.name))
}

/** Whether `folder` is the folder `inode` or lies below it, going by the names of a path to it. */
export async function isBelow(volume: Volume, path: string, inode: number): Promise<boolean> {
  const names = checkFilePath(path)
  let place = ROOT
  for (const name of names) {
    const entry = await entryAt(volume, place)
    if (entry === undefined) return false
    if (entry.inode === inode) return true
    place = { folder: entry.inode, name }
  }
  return false
}

/** True for the root folder. */
export function isRoot(entry: Pick<Entry, 'inode'>): boolean {
  return entry.inode === ROOT_INODE
}

function notFound(): FileError {
  return new FileError('ERR_FILE_NOT_FOUND', 'expected something at that path, there is nothing')
}
