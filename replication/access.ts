import type { Did } from '#did'
import { HOLDERS_OF_ROOT_MAX } from './constants.ts'
import type { KeeperCore, RootCare } from './core.ts'
import type { Goal, ReplicaAccess } from './types.ts'

/**
 * Who may be served a root: everybody, or whom its publisher named, those who were asked and are taking it now, and the
 * publisher's device. So a copy can be made anew from any other, by devices that cannot read what it means. A lease opens
 * nothing: anybody may say that they hold something, and who does needs nothing.
 */
export function accessOf(core: KeeperCore, goal: Goal, care: RootCare): ReplicaAccess {
  if (goal.isPublic) return { isPublic: true, readers: [] }
  const nowMs = core.clock.monotonicMs()
  const taking = [...care.taking].flatMap(([device, untilMs]) => (untilMs > nowMs ? [device] : []))
  const readers = new Set<Did>([...goal.readers, goal.owner, ...taking])
  readers.delete(core.self)
  return { isPublic: false, readers: [...readers].sort().slice(0, HOLDERS_OF_ROOT_MAX) }
}

/** Opens what is here to whom it may be served now, when that has changed. */
export async function openAccess(core: KeeperCore, goal: Goal, care: RootCare): Promise<void> {
  const access = accessOf(core, goal, care)
  const text = access.isPublic ? '*' : access.readers.join()
  if (text === care.access) return
  await core.content.hold(goal.root, {
    access,
    isOwn: goal.person === core.person,
    isCopy: core.state.held.has(goal.root),
    sources: [],
    bytesMax: goal.bytes,
    signal: core.signal
  })
  care.access = text
}
