import * as z from 'zod'
import type { CallCommand, ProviderContract } from './contract.ts'
import { byteCount, cid, data, DATA_BYTES_MAX, path } from './fields.ts'

/** Names something by its content, and a place inside it. */
export interface ContentName {
  readonly cid: string
  readonly path?: string
}

/** What to get. */
export interface ContentGet extends ContentName {
  /** Where to begin, 0 when absent. */
  readonly offset?: number
  /** Most bytes, 32 KiB when absent and at most. */
  readonly length?: number
}

/** A verified piece. */
export interface ContentData {
  /** Base64. */
  readonly data: string
  readonly isEnd: boolean
}

/** What to add. */
export interface ContentAdd {
  /** Base64. Larger things are added from files. */
  readonly data: string
  readonly name?: string
}

/** What was added. */
export interface ContentAdded {
  readonly cid: string
}

/** What is known of it. */
export interface ContentStat {
  readonly type: 'file' | 'folder'
  readonly bytes: number
}

/** The commands of the contract, for an SDK. */
export interface ContentCommands {
  readonly get: CallCommand<ContentGet, ContentData>
  readonly stat: CallCommand<ContentName, ContentStat>
  readonly add: CallCommand<ContentAdd, ContentAdded>
  readonly publish: CallCommand<ContentAdd, ContentAdded>
}

/** The CID of what the examples add. */
const EXAMPLE = 'bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq'
/** A token for a CID is for all that is under it. */
const resource = (params: ContentName): string => `elastos://content/${params.cid}`
const adding: z.ZodType<ContentAdd> = z.strictObject({
  data,
  name: z.exactOptional(z.string().min(1).max(255))
})
const added: z.ZodType<ContentAdded> = z.strictObject({ cid })

/** Content by what it is, from whichever peer has it. */
export const content: ProviderContract<ContentCommands> = {
  name: 'content',
  version: 1,
  summary: 'content by its CID',
  errors: [
    'ERR_CONTENT_NOT_FOUND',
    'ERR_CONTENT_TOO_LARGE',
    'ERR_CONTENT_DENIED',
    'ERR_PATH_NOT_FOUND',
    'ERR_CONTENT_TIME_LIMIT'
  ],
  commands: {
    get: {
      kind: 'call',
      summary: 'fetch content by its CID',
      params: z.strictObject({
        cid,
        path: z.exactOptional(path),
        offset: z.exactOptional(byteCount),
        length: z.exactOptional(z.int().min(1).max(DATA_BYTES_MAX))
      }),
      result: z.strictObject({ data, isEnd: z.boolean() }),
      resource,
      example: { cid: EXAMPLE }
    },
    stat: {
      kind: 'call',
      summary: 'see the size of content',
      params: z.strictObject({ cid, path: z.exactOptional(path) }),
      result: z.strictObject({ type: z.enum(['file', 'folder']), bytes: byteCount }),
      resource,
      example: { cid: EXAMPLE }
    },
    add: {
      kind: 'call',
      summary: 'add content that stays on this device',
      params: adding,
      result: added,
      resource: () => 'elastos://content/new',
      example: { data: 'aGVsbG8=' }
    },
    publish: {
      kind: 'call',
      summary: 'add content that every peer may fetch',
      params: adding,
      result: added,
      resource: () => 'elastos://content/new',
      example: { data: 'aGVsbG8=' }
    }
  }
}
