import { dropCare, type KeeperCore } from './core.ts'
import { sayReleased } from './renew.ts'
import type { Root } from './types.ts'

/**
 * Lets a root go for good, and gives what is left to do then: to tell the others, so that a copy that is missed is made anew at
 * once. That waits for the network.
 */
export async function release(core: KeeperCore, root: Root): Promise<() => Promise<void>> {
  const held = core.state.held.get(root)
  if (held === undefined) return async () => await Promise.resolve()
  await core.state.removeHeld(root)
  await core.content.forget(root)
  core.logger.info('a copy was let go', { root, of: held.goal.person, bytes: held.bytes })
  return async () => {
    await sayReleased(core, held.goal)
    dropCare(core, root)
  }
}
