import { errorMessage, type Clock, type Logger, type Random } from '#contracts'
import { KEPT_FOR_OTHERS, type Content, type Pin } from '#content'
import type { Host } from '#dht'
import type { Keystore } from '#did'
import {
  FOLLOWED_COPIES,
  PUBLISHED_COPIES,
  startReplication,
  type Replication,
  type ReplicationLimits
} from '#replication'
import type { Datastore } from 'interface-datastore'
import { createReplicaContent, type SourceHints } from './content.ts'
import { createReplicaNetwork } from './network.ts'
import { createReplicaStore } from './store.ts'

/** How often it is looked whether something was published that has no goal yet. */
const GOALS_EVERY_MS = 30_000

/** What replicas need of the other parts of a node. */
export interface ReplicasComponents {
  readonly host: Pick<Host, 'exchange' | 'ownRouting'>
  readonly content: Content
  readonly hints: SourceHints
  readonly datastore: Datastore
  readonly keystore: Pick<Keystore, 'device' | 'certificate'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** A did or a CID. */
  readonly isDenied: (name: string) => boolean
}

/** Joins replication to the network and the store of this node, and gives what is published a goal. */
export async function startReplicas(
  components: ReplicasComponents,
  limits: Partial<ReplicationLimits> = {}
): Promise<Replication> {
  const { host, content, hints, datastore, keystore, ...seams } = components
  await using stack = new AsyncDisposableStack()
  const before: Pin[] = []
  for await (const pin of content.pins()) if (pin.name === KEPT_FOR_OTHERS) before.push(pin)
  const replication = stack.use(
    await startReplication(
      {
        ...seams,
        network: createReplicaNetwork(host),
        content: createReplicaContent(content, hints),
        store: createReplicaStore(datastore),
        signer: keystore.device,
        certificate: keystore.certificate
      },
      { limits, isPublishing: () => content.status().publicPins > 0 }
    )
  )
  // What was fetched when the node was killed, and not noted any more: nothing counts it, so nothing would let it go.
  for (const { cid } of before) {
    if (!replication.holds(cid.toString())) await content.unpin(cid).catch(() => undefined)
  }
  const stopping = new AbortController()
  const watching = watchPins(components, replication, stopping.signal)
  stack.defer(async () => {
    stopping.abort(new Error('the node is stopping'))
    await watching
  })
  const running = stack.move()
  return {
    ...replication,
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

/** Gives each public pin of the user a goal, once: a goal that was withdrawn stays withdrawn. One that was made private hides it. */
async function watchPins(
  { content, clock, logger }: ReplicasComponents,
  replication: Replication,
  signal: AbortSignal
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(GOALS_EVERY_MS, signal)
      // A goal needs its size, for which all of it is walked: only when somebody would keep it.
      if (!replication.isOffered()) continue
      for await (const pin of content.pins()) {
        signal.throwIfAborted()
        const hasGoal = replication.hasGoal(pin.cid.toString())
        if (isPublished(pin) && !hasGoal) await setGoalOf(pin, replication, signal)
        if (hasGoal && isHidden(pin)) await hideGoalOf(pin, replication, signal)
      }
    } catch (thrown) {
      if (!signal.aborted) logger.warn('a pin has no goal yet', { reason: errorMessage(thrown) })
    }
  }
}

function isPublished({ kind, isPublic, name }: Pin): boolean {
  return kind === 'dag' && isPublic && name !== KEPT_FOR_OTHERS
}

function isHidden({ kind, isPublic, name }: Pin): boolean {
  return kind === 'dag' && !isPublic && name !== KEPT_FOR_OTHERS
}

/** What was made private is served to everybody by nobody. */
async function hideGoalOf({ cid }: Pin, replication: Replication, signal: AbortSignal): Promise<void> {
  const { goal } = replication.status(cid.toString())
  if (goal.isPublic && goal.copies > 0) await replication.setGoal(cid.toString(), { isPublic: false, signal })
}

async function setGoalOf({ cid, bytes }: Pin, replication: Replication, signal: AbortSignal): Promise<void> {
  // What was added here has its size; what was pinned is somebody else's.
  const copies = bytes === undefined ? FOLLOWED_COPIES : PUBLISHED_COPIES
  await replication.setGoal(cid.toString(), { copies, isPublic: true, signal })
}
