import type { ProviderStatus } from '#contracts'
import type { Capsules } from '../capsules.ts'
import { NodeError } from '../errors.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import type { NodeProviderChoices } from '../provider-choices.ts'
import { loadShippedCapsule, SHIPPED_CONTRACTS, shippedProviderOf } from '../shipped-capsules.ts'
import type { HandlersOf } from './handlers.ts'

/** What the handlers act on. */
export interface ProviderHandlerParts {
  readonly providers: NodeProviderChoices
  readonly installed: InstalledCapsules
  readonly capsules: Pick<Capsules, 'verify'>
  /** A lineage for `PETNAME/NAME`; other text as it is. */
  readonly toLineage: (target: string) => string
}

/** Who serves which contract, for commands. */
export function createProviderHandlers({
  providers,
  installed,
  capsules,
  toLineage
}: ProviderHandlerParts): HandlersOf<'capsule.provide' | 'capsule.providers'> {
  return {
    'capsule.providers': async () => {
      const chosen = providers.list().map((choice) => ({ ...choice, isShipped: false }))
      const shipped = SHIPPED_CONTRACTS.filter((contract) => providers.chosen(contract) === undefined)
      const ours = await Promise.all(shipped.map(describeShipped))
      return { providers: [...chosen, ...ours].toSorted((a, b) => a.contract.localeCompare(b.contract)) }
    },
    'capsule.provide': async ({ contract, name, powers = [] }, { signal }) => {
      if (name === undefined) {
        const shipped = await describeShipped(contract)
        await providers.choose(contract, undefined)
        return shipped
      }
      const { lineage, current } = installed.lifecycle.find(toLineage(name))
      const { opened } = await capsules.verify(current, { signal })
      if (!opened.manifest.provides.includes(contract)) {
        throw new NodeError('ERR_PROVIDER_CONTRACT', `${name} does not provide ${contract}`)
      }
      const missing = opened.manifest.powers.filter((power) => !powers.includes(power))
      if (missing.length > 0) {
        throw new NodeError('ERR_PROVIDER_POWERS', `${name} needs powers of the host: ${missing.join(', ')}`)
      }
      const choice = { lineage, powers: opened.manifest.powers }
      await providers.choose(contract, choice)
      return { contract, ...choice, isShipped: false }
    }
  }
}

async function describeShipped(contract: string): Promise<ProviderStatus> {
  const name = shippedProviderOf(contract)
  if (name === undefined) {
    throw new NodeError('ERR_PROVIDER_CONTRACT', `no capsule of this release provides ${contract}`)
  }
  const shipped = await loadShippedCapsule(name)
  return { contract, lineage: shipped.lineage, powers: shipped.opened.manifest.powers, isShipped: true }
}
