import type { Provider } from './provider.ts'

/**
 * A narrow piece of what the host can do, given to the provider capsule that serves a contract: the same commands,
 * done for real. The provider can use it for the call it serves and for nothing else: the same caller, subject and
 * resource, and the same verb or one that helps with it.
 */
export interface HostPower {
  /** The contract whose commands it has: `localhost@1`. */
  readonly contract: string
  /** By the verb that is served, the other verbs that may be used for it. */
  readonly helps: Readonly<Record<string, readonly string[]>>
  readonly provider: Provider
}
