import { dropCare, type KeeperCore } from './core.ts'
import { sayReleased } from './renew.ts'
import type { Root } from './types.ts'

/** Lets a root go: durable first, then the others hear of it, so that a copy that is missed is made anew at once. */
export async function release(core: KeeperCore, root: Root): Promise<void> {
  const held = core.state.held.get(root)
  if (held === undefined) return
  await core.state.removeHeld(root)
  await core.content.forget(root)
  core.logger.info('a copy was let go', { root, of: held.goal.person, bytes: held.bytes })
  await sayReleased(core, held.goal)
  dropCare(core, root)
}
