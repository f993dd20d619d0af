import type { Reach } from '#dht'
import { BootstrapError } from './errors.ts'

/**
 * Refuses to be a seed that nobody but this device could reach, unless that is what is being tried out.
 *
 * @throws BootstrapError `ERR_SEED_REACH_LOCAL`
 */
export function assertSeedReach(reach: Reach, isDevelopment: boolean): void {
  if (reach !== 'local' || isDevelopment) return
  throw new BootstrapError(
    'ERR_SEED_REACH_LOCAL',
    'expected a seed that others can reach: give --reach lan or --reach public, or --dev to try one on this device'
  )
}
