import * as z from 'zod'
import type { CallCommand, ProviderContract } from './contract.ts'
import { byteCount, data, ENTRIES_MAX, nothing, path, pathOrRoot, timeMs, type Nothing } from './fields.ts'

/** What there is to know of a file or folder. */
export interface LocalhostStat {
  readonly type: 'file' | 'folder'
  /** 0 for a folder. */
  readonly bytes: number
  readonly modifiedAtMs: number
}

/** One entry of a folder. */
export interface LocalhostEntry extends LocalhostStat {
  readonly name: string
}

/** Names a file or folder below the root. */
export interface LocalhostPath {
  readonly path: string
}

/** What to read. */
export interface LocalhostRead extends LocalhostPath {
  /** Where to begin, 0 when absent. */
  readonly offset?: number
  /** Most bytes, 32 KiB when absent and at most. */
  readonly length?: number
}

/** What was read. */
export interface LocalhostData {
  /** Base64. */
  readonly data: string
  /** True when nothing follows. */
  readonly isEnd: boolean
}

/** What to write, and where. Without `offset` the file is replaced by the bytes, at once or not at all. */
export interface LocalhostWrite extends LocalhostPath {
  /** Base64. */
  readonly data: string
  readonly offset?: number
}

/** Which entries to list. */
export interface LocalhostList extends LocalhostPath {
  /** List what comes after this name; entries are in the order of their names. */
  readonly after?: string
}

/** Some entries. */
export interface LocalhostListing {
  readonly entries: readonly LocalhostEntry[]
  /** True when there are more: ask for those after the last one. */
  readonly hasMore: boolean
}

/** What becomes of what is deleted. */
export interface LocalhostDelete extends LocalhostPath {
  /** A folder with all that is in it. */
  readonly isRecursive?: boolean
}

/** The commands of the contract, for an SDK. */
export interface LocalhostCommands {
  readonly read: CallCommand<LocalhostRead, LocalhostData>
  readonly write: CallCommand<LocalhostWrite, Nothing>
  readonly list: CallCommand<LocalhostList, LocalhostListing>
  readonly stat: CallCommand<LocalhostPath, LocalhostStat>
  readonly delete: CallCommand<LocalhostDelete, Nothing>
  readonly mkdir: CallCommand<LocalhostPath, Nothing>
}

const length: z.ZodType<number> = z
  .int()
  .min(1)
  .max(32 * 1024)
const stat = { type: z.enum(['file', 'folder']), bytes: byteCount, modifiedAtMs: timeMs }
const resource = (params: LocalhostPath): string => `localhost://${params.path}`

/** Files of a capsule, below a root that belongs to its lineage. */
export const localhost: ProviderContract<LocalhostCommands> = {
  name: 'localhost',
  version: 1,
  summary: 'files that belong to a capsule',
  errors: [
    'ERR_FILE_NOT_FOUND',
    'ERR_FILE_EXISTS',
    'ERR_FILE_IS_FOLDER',
    'ERR_FILE_NOT_FOLDER',
    'ERR_FILE_NOT_EMPTY',
    'ERR_FILE_QUOTA',
    'ERR_FILE_NO_SPACE',
    'ERR_FILE_TOO_LARGE',
    'ERR_FILE_NAME_TOO_LONG',
    'ERR_FILE_INVALID',
    'ERR_FILE_BUSY',
    'ERR_FILE_CORRUPT',
    'ERR_FILE_DENIED',
    'ERR_FILE_IO'
  ],
  commands: {
    read: {
      kind: 'call',
      summary: 'read a file',
      params: z.strictObject({ path, offset: z.exactOptional(byteCount), length: z.exactOptional(length) }),
      result: z.strictObject({ data, isEnd: z.boolean() }),
      resource,
      example: { path: 'notes/a.txt' }
    },
    write: {
      kind: 'call',
      summary: 'write a file',
      params: z.strictObject({ path, data, offset: z.exactOptional(byteCount) }),
      result: nothing,
      resource,
      example: { path: 'notes/a.txt', data: 'aGVsbG8=' }
    },
    list: {
      kind: 'call',
      summary: 'list a folder',
      params: z.strictObject({ path: pathOrRoot, after: z.exactOptional(z.string().max(255)) }),
      result: z.strictObject({
        entries: z.array(z.strictObject({ name: z.string().max(255), ...stat })).max(ENTRIES_MAX),
        hasMore: z.boolean()
      }),
      resource,
      example: { path: 'notes' }
    },
    stat: {
      kind: 'call',
      summary: 'see size and time of a file',
      params: z.strictObject({ path: pathOrRoot }),
      result: z.strictObject(stat),
      resource,
      example: { path: 'notes/a.txt' }
    },
    delete: {
      kind: 'call',
      summary: 'delete a file or folder',
      params: z.strictObject({ path, isRecursive: z.exactOptional(z.boolean()) }),
      result: nothing,
      resource,
      example: { path: 'notes/a.txt' }
    },
    mkdir: {
      kind: 'call',
      summary: 'make a folder',
      params: z.strictObject({ path }),
      result: nothing,
      resource,
      example: { path: 'notes' }
    }
  }
}
