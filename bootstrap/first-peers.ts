import { errorMessage, type Logger } from '#contracts'
import type { Did } from '#did'
import { BootstrapError, type BootstrapErrorCode } from './errors.ts'
import type { KnownSeeds } from './known-seeds.ts'
import type { BootstrapRecord } from './record.ts'
import { fetchBootstrapRecord, type FetchRecordInit, type SeedClientComponents } from './seed-client.ts'
import type { BootstrapPlan, SeedTarget } from './value.ts'

/** What first peers are found with. */
export interface FirstPeersComponents extends SeedClientComponents {
  readonly knownSeeds: Pick<KnownSeeds, 'didOf' | 'remember'>
  readonly logger: Logger
}

/** Options of {@link findFirstPeers}. */
export interface FindFirstPeersInit extends FetchRecordInit {
  /**
   * Asked, one at a time, whether a seed that was never met and is not pinned is who it says; then it is remembered.
   * Without it such a seed is not used.
   */
  readonly confirm?: (seed: { readonly url: string; readonly did: Did }) => Promise<boolean>
}

/** A seed that gave no addresses, and why. */
export interface SeedFailure {
  readonly url: string
  readonly code: BootstrapErrorCode
  readonly message: string
}

/** Whom to dial first. */
export interface FirstPeers {
  /** Multiaddrs that end with `/p2p/` and a PeerId. */
  readonly peers: string[]
  /** Seeds that gave none. */
  readonly failures: SeedFailure[]
}

/**
 * Turns a plan into addresses to dial: asks every seed at once, then decides one after the other whom to trust. A
 * seed that fails is reported and keeps no other from being used.
 *
 * @throws the reason of `signal` when it aborts
 */
export async function findFirstPeers(
  components: FirstPeersComponents,
  plan: BootstrapPlan,
  init: FindFirstPeersInit
): Promise<FirstPeers> {
  const asked = plan.seeds.map(async (seed) => await fetchBootstrapRecord(components, seed, init))
  // Each is awaited below; until then a refusal must not count as unhandled.
  for (const record of asked) record.catch(() => undefined)
  const peers = new Set(plan.peers)
  const failures: SeedFailure[] = []
  for (const [index, seed] of plan.seeds.entries()) {
    try {
      const record = await asked[index]
      if (record === undefined) continue
      await trustSeed(components, { seed, record, confirm: init.confirm })
      for (const address of record.addresses) peers.add(address)
    } catch (thrown) {
      init.signal?.throwIfAborted()
      if (!(thrown instanceof BootstrapError)) throw thrown
      components.logger.warn('seed gave no addresses', { url: seed.url, code: thrown.code })
      failures.push({ url: seed.url, code: thrown.code, message: errorMessage(thrown) })
    }
  }
  return { peers: [...peers], failures }
}

interface TrustDecision {
  readonly seed: SeedTarget
  readonly record: BootstrapRecord
  readonly confirm: FindFirstPeersInit['confirm']
}

/**
 * Trust on first use: a pin decides, and replaces what was remembered; then what was remembered; then the person.
 *
 * @throws BootstrapError `ERR_SEED_SIGNER_CHANGED` or `ERR_SEED_UNCONFIRMED`
 */
async function trustSeed(
  { knownSeeds }: Pick<FirstPeersComponents, 'knownSeeds'>,
  { seed, record, confirm }: TrustDecision
): Promise<void> {
  const { url, pin } = seed
  const { did } = record
  const known = knownSeeds.didOf(url)
  if (pin === undefined && known !== undefined && known !== did) {
    throw new BootstrapError(
      'ERR_SEED_SIGNER_CHANGED',
      `expected ${url} to sign as ${known} as before, got ${did}; if its operator says so, pin it: '${url}#${did}'`
    )
  }
  const isTrusted = pin === did || known === did || (await confirm?.({ url, did })) === true
  if (!isTrusted) {
    throw new BootstrapError(
      'ERR_SEED_UNCONFIRMED',
      `expected somebody to confirm ${url}; pin it: '${url}#${did}'`
    )
  }
  await knownSeeds.remember(url, did)
}
