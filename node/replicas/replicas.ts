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
  readonly host: Pick<Host, 'exchange' | 'metrics' | 'ownRouting'>
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
        network: createReplicaNetwork(host, seams.clock),
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

/**
 * Gives each public pin of the user a goal, once: a goal that was withdrawn stays withdrawn. One that was made private hides it.
 * So do single blocks that are published, such as signed capsules and the publisher's index, without which nobody finds or
 * verifies what others keep; one that was replaced is withdrawn.
 */
async function watchPins(
  { content, clock, logger }: ReplicasComponents,
  replication: Replication,
  signal: AbortSignal
): Promise<void> {
  let blocks: ReadonlySet<string> = new Set()
  while (!signal.aborted) {
    try {
      await clock.sleep(GOALS_EVERY_MS, signal)
      // A goal needs its size, for which all of it is walked: only when somebody would keep it.
      if (replication.isOffered()) blocks = await lookAtPins({ content, replication, signal }, blocks)
    } catch (thrown) {
      if (!signal.aborted) logger.warn('a pin has no goal yet', { reason: errorMessage(thrown) })
    }
  }
}

interface Watching {
  readonly content: Content
  readonly replication: Replication
  readonly signal: AbortSignal
}

/** Gives the single blocks that have a goal now; those that had one at the last look and are gone are withdrawn. */
async function lookAtPins(watching: Watching, before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const { content, replication, signal } = watching
  const blocks = new Set<string>()
  for await (const pin of content.pins()) {
    signal.throwIfAborted()
    const root = pin.cid.toString()
    const hasGoal = replication.hasGoal(root)
    if (pin.kind === 'block') {
      if (pin.isPublic && (hasGoal || (await setGoalOfBlock(watching, pin)))) blocks.add(root)
    } else if (isPublished(pin) && !hasGoal) await setGoalOf(pin, replication, signal)
    else if (hasGoal && isHidden(pin)) await hideGoalOf(pin, replication, signal)
  }
  for (const root of before) {
    if (!blocks.has(root) && replication.hasGoal(root)) await replication.setGoal(root, { copies: 0 })
  }
  return blocks
}

function isPublished({ kind, isPublic, name }: Pin): boolean {
  return kind === 'dag' && isPublic && name !== KEPT_FOR_OTHERS
}

function isHidden({ kind, isPublic, name }: Pin): boolean {
  return kind === 'dag' && !isPublic && name !== KEPT_FOR_OTHERS
}

/** Whether a block leads to nothing else: a public block opens itself to everybody, never what it links to. */
async function isAlone(content: Content, { cid }: Pin, signal: AbortSignal): Promise<boolean> {
  let count = 0
  try {
    for await (const _block of content.blocksOf(cid, { signal })) if (++count > 1) return false
  } catch {
    signal.throwIfAborted()
    return false
  }
  return count === 1
}

/** False for a block that leads to others. */
async function setGoalOfBlock({ content, replication, signal }: Watching, pin: Pin): Promise<boolean> {
  if (!(await isAlone(content, pin, signal))) return false
  const { cid, name } = pin
  await content.pin(cid, { private: false, signal, ...(name === undefined ? {} : { name }) })
  await replication.setGoal(cid.toString(), { copies: PUBLISHED_COPIES, isPublic: true, signal })
  return true
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
