import type { CapsuleSystem } from './globals/main.ts'
import { SYSTEM_SYMBOL } from './globals/system.ts'

export type { CapsuleSystem }

/**
 * The system of the capsule this runs in.
 *
 * @throws Error outside of one
 */
export function capsuleSystem(): CapsuleSystem {
  const found = (globalThis as Record<symbol, unknown>)[SYSTEM_SYMBOL]
  if (found === undefined)
    throw new Error('expected to run in a capsule; build it with: elastos capsule build')
  return found as CapsuleSystem
}
