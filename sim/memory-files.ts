import { dirname } from 'node:path'
import type { PrivateFiles, PrivateFileStat } from '#did'

interface Entry {
  readonly stat: PrivateFileStat
  readonly bytes: Uint8Array
}

const OWNER_ID = 1000
const PROCESS_ID = 1
const FOLDER: Entry = { stat: { kind: 'folder', mode: 0o700, ownerId: OWNER_ID }, bytes: new Uint8Array() }

function systemError(code: 'EEXIST' | 'ENOENT', path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

/** The private files of one node, in memory: the disk of a simulated device. They live as long as this object. */
export function createMemoryFiles(): PrivateFiles {
  const entries = new Map<string, Entry>()
  const take = (path: string): Entry => {
    const entry = entries.get(path)
    if (entry === undefined) throw systemError('ENOENT', path)
    return entry
  }
  const create = (path: string, entry: Entry): void => {
    if (entries.has(path)) throw systemError('EEXIST', path)
    if (!entries.has(dirname(path))) throw systemError('ENOENT', path)
    entries.set(path, entry)
  }
  return {
    stat: async (path) => entries.get(path)?.stat,
    read: async (path, bytesMax) => {
      const entry = entries.get(path)
      return entry && { stat: entry.stat, bytes: entry.bytes.slice(0, bytesMax + 1) }
    },
    createFile: async (path, bytes) => {
      create(path, { stat: { kind: 'file', mode: 0o600, ownerId: OWNER_ID }, bytes: bytes.slice() })
    },
    link: async (path, newPath) => create(newPath, take(path)),
    rename: async (path, newPath) => {
      entries.set(newPath, take(path))
      entries.delete(path)
    },
    remove: async (path) => void entries.delete(path),
    createFolder: async (path) => {
      for (let at = path; !entries.has(at); at = dirname(at)) entries.set(at, FOLDER)
    },
    list: async (folder) => {
      const prefix = `${folder}/`
      return [...entries.keys()].flatMap((path) => {
        const name = path.startsWith(prefix) ? path.slice(prefix.length) : ''
        return name === '' || name.includes('/') ? [] : [name]
      })
    },
    syncFolder: async () => undefined,
    userId: () => OWNER_ID,
    processId: () => PROCESS_ID,
    isProcessAlive: (processId) => processId === PROCESS_ID
  }
}
