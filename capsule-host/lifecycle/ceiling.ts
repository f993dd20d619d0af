import { commandCovers, resourceCovers } from '#capability'
import type { CapsuleManifest, ManifestCapability, ManifestRequirement } from '../manifest.ts'

/** All a capsule may ever ask of its user: what installing shows. */
export interface Ceiling {
  readonly capabilities: readonly ManifestCapability[]
  readonly requires: readonly ManifestRequirement[]
  readonly provides: readonly string[]
  readonly powers: readonly string[]
  readonly files: boolean
}

/** The ceiling of a manifest. */
export function ceilingOf(manifest: CapsuleManifest): Ceiling {
  const { capabilities, requires, provides, powers, files } = manifest
  return { capabilities, requires, provides, powers, files }
}

/** What a ceiling lets a capsule ask for that the one before did not. A new reason for something old is not new. */
export function newInCeiling(before: Ceiling, after: Ceiling): Ceiling {
  const isCovered = ({ command, resource }: ManifestCapability): boolean =>
    before.capabilities.some(
      (old) => commandCovers(old.command, command) && resourceCovers(old.resource, resource)
    )
  const isRequired = ({ contract, capsule }: ManifestRequirement): boolean =>
    before.requires.some((old) => old.contract === contract && old.capsule === capsule)
  return {
    capabilities: after.capabilities.filter((entry) => !isCovered(entry)),
    requires: after.requires.filter((entry) => !isRequired(entry)),
    provides: after.provides.filter((contract) => !before.provides.includes(contract)),
    powers: after.powers.filter((power) => !before.powers.includes(power)),
    files: after.files && !before.files
  }
}

/** Whether a ceiling holds nothing to be asked about. */
export function isEmptyCeiling({ capabilities, requires, provides, powers, files }: Ceiling): boolean {
  return capabilities.length + requires.length + provides.length + powers.length === 0 && !files
}
