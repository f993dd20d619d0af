import type { Clock, Logger } from '#contracts'
import { errorMessage, orAborted } from '#contracts'
import type { Did } from '#did'
import { betterOf } from './confidence.ts'
import type { Confidence } from './confidence.ts'
import { startDeadline } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { DhtError } from './errors.ts'
import {
  NAME_ANSWERS_MAX,
  NAME_LOOKUP_GRACE_MS,
  NAME_LOOKUP_TIMEOUT_MS,
  NAME_RECORDS_ENOUGH
} from './name-constants.ts'
import { expiredError, isNewer, nameKey, verifyNameRecord } from './name-record.ts'
import type { NameRecord } from './name-record.ts'
import type { NameRouting } from './name-routing.ts'

/** What the peers of all DHTs together said about a name. */
export interface NameLookup {
  /** The newest record that counts. */
  readonly best: NameRecord | undefined
  /** The newest expired record: it does not count, but its sequence was published. */
  readonly expired: NameRecord | undefined
  /** Why the last refused record was refused. */
  readonly refusal: DhtError | undefined
  /** How many peers answered, with a record or without. */
  readonly peersAsked: number
  /** How many peers answered with each record that can be verified, by {@link voteOf}. */
  readonly votes: ReadonlyMap<string, number>
  /** How far the answer can be trusted, by the DHT that can be trusted most; `undefined` when none can say. */
  readonly confidence: Confidence | undefined
}

/** What a peer says that answers with a record: renewed ones say the same. */
export function voteOf({ sequence, value }: Pick<NameRecord, 'sequence' | 'value'>): string {
  return `${sequence} ${value.toString()}`
}

/** What {@link lookUpName} works with. */
export interface NameLookupComponents {
  readonly routings: readonly NameRouting[]
  readonly clock: Clock
  readonly logger: Logger
}

interface Findings extends Omit<{ -readonly [K in keyof NameLookup]: NameLookup[K] }, 'votes'> {
  readonly votes: Map<string, number>
}

/**
 * Asks all DHTs at once for the records of a name and verifies each answer. Ends when all have been asked, when
 * enough records came, or at a deadline of its own with what came until then.
 *
 * @throws the reason of `signal` when it aborts
 */
export async function lookUpName(
  components: NameLookupComponents,
  did: Did,
  signal: AbortSignal
): Promise<NameLookup> {
  const { routings, clock, logger } = components
  const nothing = { best: undefined, expired: undefined, refusal: undefined, confidence: undefined }
  const findings: Findings = { ...nothing, peersAsked: 0, votes: new Map() }
  using deadline = startDeadline(clock, NAME_LOOKUP_TIMEOUT_MS, signal)
  const ask = async (routing: NameRouting): Promise<void> => {
    try {
      await askRouting(routing, { did, findings, deadline, nowMs: clock.nowMs() })
    } catch (error) {
      // a DHT that fails says nothing about the name; what the others say still counts
      logger.debug('name lookup ended early', { routing: routing.label, reason: errorMessage(error) })
    }
    if (findings.best !== undefined) deadline.shorten(NAME_LOOKUP_GRACE_MS)
  }
  const asked = Promise.all(routings.map(ask))
  // a routing that ignores its signal must not hold up the lookup; at the deadline what came until then counts
  await orAborted(asked, deadline.signal).catch(() => undefined)
  signal.throwIfAborted()
  return { ...findings }
}

interface AskInit {
  readonly did: Did
  readonly findings: Findings
  readonly deadline: Deadline
  readonly nowMs: number
}

async function askRouting(routing: NameRouting, { did, findings, deadline, nowMs }: AskInit): Promise<void> {
  const key = nameKey(did)
  const peers: string[] = []
  let records = 0
  try {
    for await (const answer of routing.find(key, { signal: deadline.signal })) {
      findings.peersAsked++
      peers.push(answer.peer)
      if (answer.record !== undefined && weigh(findings, answer.record, { did, nowMs })) records++
      if (peers.length >= NAME_ANSWERS_MAX || records >= NAME_RECORDS_ENOUGH) return
    }
  } finally {
    findings.confidence = betterOf(findings.confidence, routing.judge?.(key, peers))
  }
}

/** Takes one record into account; `true` when it counts. */
function weigh(
  findings: Findings,
  bytes: Uint8Array,
  { did, nowMs }: Pick<AskInit, 'did' | 'nowMs'>
): boolean {
  if (findings.best !== undefined && Buffer.compare(findings.best.bytes, bytes) === 0) {
    count(findings.votes, findings.best)
    return true
  }
  let record: NameRecord
  try {
    record = verifyNameRecord(did, bytes)
  } catch (error) {
    findings.refusal = asDhtError(error)
    return false
  }
  count(findings.votes, record)
  const isExpired = record.validUntilMs <= nowMs
  const field = isExpired ? 'expired' : 'best'
  if (isExpired) findings.refusal ??= expiredError(record)
  const held = findings[field]
  if (held === undefined || isNewer(record.bytes, held.bytes)) findings[field] = record
  return !isExpired
}

function count(votes: Map<string, number>, record: NameRecord): void {
  votes.set(voteOf(record), (votes.get(voteOf(record)) ?? 0) + 1)
}

function asDhtError(error: unknown): DhtError {
  if (error instanceof DhtError) return error
  return new DhtError('ERR_NAME_INVALID', 'expected a name record that can be verified', { cause: error })
}
