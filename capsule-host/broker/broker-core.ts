import type { Clock, Logger } from '#contracts'
import type { Authority } from '../authority/authority.ts'
import type { HostPower } from './host-power.ts'
import type { ProviderDirectory } from './provider.ts'
import type { Questions } from './questions.ts'

/** What of the authority the broker uses. */
export type BrokerAuthority = Pick<
  Authority,
  | 'audienceOf'
  | 'authorize'
  | 'delegate'
  | 'endSession'
  | 'grant'
  | 'list'
  | 'onRevoked'
  | 'peek'
  | 'recall'
  | 'remember'
  | 'revoke'
>

/** What all sessions of a broker share. */
export interface BrokerCore {
  readonly authority: BrokerAuthority
  readonly questions: Questions
  readonly providers: ProviderDirectory
  /** By name: `disk`. */
  readonly powers: ReadonlyMap<string, HostPower>
  readonly clock: Clock
  readonly logger: Logger
}
