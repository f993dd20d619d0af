import type { CallerIdentity } from '#contracts'
import type { Did } from '#did'
import type { BrokerCore } from './broker-core.ts'
import type { CapsuleSession } from './capsule-session.ts'
import type { ProviderRequest } from './provider.ts'
import type { Refusal } from './refusal.ts'
import type { SessionDenials } from './session-denials.ts'
import type { StreamTable } from './stream-table.ts'

/** Something under way that tokens allowed; it ends when one of them is revoked. */
export interface TokenUse {
  readonly tokens: readonly string[]
  abort(why: Refusal): void
}

/** What the methods of one session work with. */
export interface SessionState {
  readonly core: BrokerCore
  readonly session: CapsuleSession
  readonly identity: CallerIdentity
  readonly audience: Did
  /** Aborts when the capsule has ended. */
  readonly ended: AbortSignal
  /** Resolves when the capsule has introduced itself: until then it is told and asked nothing. */
  readonly introduced: PromiseWithResolvers<void>
  readonly streams: StreamTable
  /** Calls and streams that tokens of this session allowed. */
  readonly uses: Set<TokenUse>
  /** What this capsule serves now, as a provider, by `call:ID` and `stream:NUMBER`. */
  readonly serving: Map<string, ProviderRequest>
  readonly denied: SessionDenials
}
