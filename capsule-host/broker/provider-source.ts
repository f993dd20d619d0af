import type { Provider, ProviderRequirement } from './provider.ts'

/** A capsule that serves a contract; every byte of it was verified. */
export interface ResolvedProvider {
  /** CID of the signed capsule: what was resolved, exactly. */
  readonly cid: string
  readonly lineage: string
  readonly requires: readonly ProviderRequirement[]
  readonly provides: readonly string[]
}

/** What is looked for. */
export interface ProviderWish {
  /** `localhost@1`. */
  readonly contract: string
  /** Lineage or CID of the capsule it shall be; any that this device uses for the contract when absent. */
  readonly capsule?: string | undefined
  /** What the same wish led to before: it stays that version until its user updates it. */
  readonly pinned?: string | undefined
}

/** A provider capsule that runs. Disposing it ends it at once. */
export interface StartedProvider extends AsyncDisposable {
  readonly provider: Provider
  /** Resolves when it has ended, for whatever reason. Never rejects. */
  readonly ended: Promise<void>
  /** Asks it to end. */
  stop(graceMs: number): void
}

/** Where provider capsules come from, and how they are run. */
export interface ProviderSource {
  /** @returns `undefined` when there is none. @throws why a capsule is not what it claims */
  resolve(wish: ProviderWish, signal: AbortSignal): Promise<ResolvedProvider | undefined>
  start(provider: ResolvedProvider, signal: AbortSignal): Promise<StartedProvider>
  /** What the host itself does for a contract when no capsule is there. */
  native?(contract: string): Provider | undefined
}

/** What the user chose and what was resolved, kept between runs of the node. */
export interface ProviderChoices {
  /** The capsule the user wants to serve a contract, whoever asks for it. */
  chosen(contract: string): string | undefined
  /** What a lineage's wish led to before. */
  pinned(lineage: string, contract: string): string | undefined
  /** Resolves when it is kept. */
  pin(lineage: string, contract: string, cid: string): Promise<void>
}
