import type { CallerIdentity } from '#contracts'
import type { Did } from '#did'

/** What a provider is asked, once it was allowed. */
export interface ProviderRequest {
  /** Who asks: known from the channel, never from what was said on it. */
  readonly caller: CallerIdentity
  /** The session of the caller; a provider that keeps something for it lets go when `sessionSignal` aborts. */
  readonly sessionId: string
  readonly sessionSignal: AbortSignal
  /** Whose data: the caller's own audience, or that of whoever delegated. */
  readonly subject: Did
  /** `localhost/read`. */
  readonly command: string
  /** Normal, and what the token covered. */
  readonly resource: string
  /** As the schema of the contract let them through. */
  readonly params: unknown
  /** The caller no longer wants the answer, or may no longer have it. */
  readonly signal: AbortSignal
}

/** Does what a contract says, for whoever was allowed to ask. */
export interface Provider {
  /** @throws an error with a code of the contract, or any other, of which the caller learns nothing */
  call(request: ProviderRequest): Promise<unknown>
  /**
   * Opens a stream. Items are asked for one by one, no faster than the caller takes them; `input` is what the caller
   * sends, read no faster than the provider takes it.
   */
  open(request: ProviderRequest, input: AsyncIterable<unknown>): AsyncIterable<unknown>
}

/** A provider that was found, and what it is. */
export interface FoundProvider {
  readonly provider: Provider
  /** CID of the capsule that does it; absent for the host's own. */
  readonly cid?: string
}

/** Who asks a directory for a provider. */
export interface ProviderSeeker {
  readonly lineage: string
  readonly requires: readonly ProviderRequirement[]
}

/** A contract that a capsule calls, and perhaps which capsule should serve it: its lineage or CID. */
export interface ProviderRequirement {
  readonly contract: string
  readonly capsule?: string | undefined
}

/** Finds who provides a contract. */
export interface ProviderDirectory {
  /**
   * The provider of `contract` (`localhost@1`) for a capsule; started when it is a capsule that does not run yet.
   *
   * @throws Refusal `ERR_PROVIDER_NONE`, `ERR_PROVIDER_CYCLE` or `ERR_PROVIDER_GONE`
   */
  find(contract: string, seeker: ProviderSeeker, signal: AbortSignal): Promise<FoundProvider>
}
