import { careOf, demandOf, goalOf, liveHolders, viewOf, type KeeperCore } from './core.ts'
import { wantedCopies } from './decide.ts'
import { ReplicationError } from './errors.ts'
import { placementOrder } from './placement.ts'
import type { ReplicaStatus } from './replication.ts'
import type { Root } from './types.ts'

/**
 * How a root is kept, as far as this device knows.
 *
 * @throws ReplicationError `ERR_REPLICA_UNKNOWN`
 */
export function readStatus(core: KeeperCore, root: Root): ReplicaStatus {
  const wanted = goalOf(core, root)
  if (wanted === undefined) {
    throw new ReplicationError('ERR_REPLICA_UNKNOWN', `no goal is known for ${root.slice(0, 128)}`)
  }
  const { goal } = wanted
  const care = careOf(core, root)
  const view = viewOf(core, goal, care)
  const nowMs = core.clock.monotonicMs()
  const copies = [...liveHolders(core, goal)].map(([holder, entry]) => {
    const offer = view.offers.find((one) => one.holder === holder)
    return {
      holder,
      isThis: holder === core.self,
      person: offer?.person ?? (holder === core.self ? core.person : undefined),
      host: offer?.host,
      network: offer?.network,
      leaseMs: entry === undefined ? undefined : Math.round(entry.untilMs - nowMs),
      challenge: care.challenges.get(holder),
      prepared: core.state.preparedFor(root, holder)
    }
  })
  const { offers, live, without } = view
  const free = placementOrder({
    ...goal,
    offers,
    holders: live,
    without: new Set([...without, ...live, goal.owner])
  })
  return {
    root,
    goal,
    wanted: wantedCopies(goal, demandOf(core, root)),
    copies,
    taking: [...care.taking].flatMap(([device, untilMs]) => (untilMs > nowMs ? [device] : [])),
    candidates: free.length
  }
}
