import * as z from 'zod'
import type { CallerIdentity, PickKind } from '../capsule-channel.ts'
import type { CallCommand, ProviderContract } from './contract.ts'
import { timeMs } from './fields.ts'

/** How long a grant lasts: for one use, until the capsule ends, for 24 hours, or until it is revoked. */
export type GrantScope = 'once' | 'session' | 'day' | 'always'

/** What a capsule wants, for whoever decides. */
export interface GrantQuestion {
  readonly id: string
  /** Who wants it. The host vouches for all of it. */
  readonly capsule: CallerIdentity & { readonly isOwn: boolean }
  readonly command: string
  /** What the command does, in the words of its contract; absent for a pattern. */
  readonly summary?: string
  readonly resource: string
  /** Set where one resource under `resource` is to be picked. */
  readonly pick?: PickKind
  /** Why, in the capsule's words of now and in its author's of the manifest. Claims, and no more. */
  readonly reason?: string
  readonly manifestReason?: string
  readonly askedAtMs: number
  /** After this nobody waits for the answer. */
  readonly expiresAtMs: number
}

/** What was decided. */
export type GrantAnswer =
  | {
      readonly isAllowed: true
      readonly scope: GrantScope
      /** Narrower than what was asked for, or the same; a pick names the one resource. */
      readonly command?: string
      readonly resource?: string
      readonly usesMax?: number
      readonly decidedBy: DecidedBy
    }
  | {
      readonly isAllowed: false
      /** True: never ask this again. */
      readonly isDurable: boolean
      /** True: nor anything else of this capsule in this session. */
      readonly isAll?: boolean
      readonly decidedBy: DecidedBy
    }

/** Who decided. */
export type DecidedBy = 'person' | 'auto' | 'policy'

/** The commands of the contract. */
export interface ShellCommands {
  readonly decide: CallCommand<GrantQuestion, GrantAnswer>
}

const text: z.ZodType<string> = z.string().max(1024)
const decidedBy: z.ZodType<DecidedBy> = z.enum(['person', 'auto', 'policy'])

const question: z.ZodType<GrantQuestion> = z.strictObject({
  id: text,
  capsule: z.strictObject({
    lineage: text,
    name: text,
    version: text,
    publisher: z.exactOptional(text),
    audience: text,
    isOwn: z.boolean()
  }),
  command: text,
  summary: z.exactOptional(text),
  resource: z.string().max(2048),
  pick: z.exactOptional(z.enum(['file', 'folder', 'person', 'room'])),
  reason: z.exactOptional(text),
  manifestReason: z.exactOptional(text),
  askedAtMs: timeMs,
  expiresAtMs: timeMs
})

const answer: z.ZodType<GrantAnswer> = z.discriminatedUnion('isAllowed', [
  z.strictObject({
    isAllowed: z.literal(true),
    scope: z.enum(['once', 'session', 'day', 'always']),
    command: z.exactOptional(text),
    resource: z.exactOptional(z.string().max(2048)),
    usesMax: z.exactOptional(z.int().min(1)),
    decidedBy
  }),
  z.strictObject({
    isAllowed: z.literal(false),
    isDurable: z.boolean(),
    isAll: z.exactOptional(z.boolean()),
    decidedBy
  })
])

/** Decides what capsules may do. The host alone asks, and never grants more than the ceiling whatever is answered. */
export const shell: ProviderContract<ShellCommands> = {
  name: 'shell',
  version: 1,
  summary: 'decides what capsules may do',
  isHostOnly: true,
  errors: [],
  commands: {
    decide: {
      kind: 'call',
      summary: 'decide what a capsule may do',
      params: question,
      result: answer,
      resource: () => 'elastos://shell/question',
      example: {
        id: 'q1',
        capsule: {
          lineage: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH/notes',
          name: 'notes',
          version: '1.0.0',
          publisher: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH',
          audience: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH',
          isOwn: false
        },
        command: 'localhost/read',
        resource: 'localhost://notes/*',
        askedAtMs: 0,
        expiresAtMs: 120_000
      }
    }
  }
}
