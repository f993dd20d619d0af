import { errorMessage } from '#contracts'
import { CapsuleError } from '../errors.ts'
import type {
  Audit,
  AuditReport,
  RecordedEntry,
  ReplayDifference,
  ReplayReport,
  VerdictEntry
} from './audit-types.ts'
import { AUDIT_READ_MAX, DIFFERENCES_MAX, FOLLOW_QUEUE_MAX } from './constants.ts'
import type { AuthorityCore } from './core.ts'
import { decide, type Decision } from './decide.ts'
import { decodeEntry, hashOf, NO_HASH } from './entry-codec.ts'
import { decodeState, encodeState } from './snapshot.ts'
import { applyEntry, createState, type AuthorityState } from './state.ts'
import { LAST_NUMBER, STORE_KEYS } from './store.ts'
import { walkLog, type WalkReport } from './walk-log.ts'

/** The audit log of an authority. `writeAll` hands what is summed up to the log first. */
export function createAudit(core: AuthorityCore, writeAll: () => void): Audit {
  const flush = async (): Promise<void> => {
    writeAll()
    // What cannot be written any more is not waited for: what was written is still to be read.
    await core.journal.durable(core.journal.head.number).catch(() => undefined)
  }
  return {
    entries: async (options) => {
      await flush()
      return await readEntries(core, options ?? {})
    },
    follow: (signal) => followLog(core, signal),
    replay: async ({ signal } = {}) => {
      await flush()
      return await replayLog(core, signal)
    },
    verify: async ({ signal } = {}) => {
      await flush()
      return await verifyLog(core, signal)
    }
  }
}

async function readEntries(
  { components, journal }: AuthorityCore,
  { from, limit = AUDIT_READ_MAX }: { readonly from?: number; readonly limit?: number }
): Promise<RecordedEntry[]> {
  const count = Math.min(Math.max(Math.trunc(limit), 0), AUDIT_READ_MAX)
  const start = Math.max(Math.trunc(from ?? journal.head.number - count + 1), 0)
  const entries: RecordedEntry[] = []
  if (count === 0) return entries
  const range = { from: STORE_KEYS.entry(start), to: STORE_KEYS.entry(LAST_NUMBER), limit: count }
  for await (const [, bytes] of components.store.entries(range)) {
    try {
      entries.push({ ...decodeEntry(bytes), hash: hashOf(bytes) })
    } catch (cause) {
      throw new CapsuleError(
        'ERR_AUDIT_TAMPERED',
        "an entry of the audit log cannot be read; 'elastos audit verify' says which",
        { cause }
      )
    }
  }
  return entries
}

async function* followLog({ journal }: AuthorityCore, signal: AbortSignal): AsyncGenerator<RecordedEntry> {
  const queue: RecordedEntry[] = []
  let wake = Promise.withResolvers<undefined>()
  const stop = (): void => wake.resolve(undefined)
  signal.addEventListener('abort', stop, { once: true })
  using _listening = journal.onDurable((entry) => {
    queue.push(entry)
    // The numbers show the gap.
    if (queue.length > FOLLOW_QUEUE_MAX) queue.shift()
    wake.resolve(undefined)
  })
  try {
    while (!signal.aborted) {
      const entry = queue.shift()
      if (entry !== undefined) {
        yield entry
        continue
      }
      await wake.promise
      wake = Promise.withResolvers<undefined>()
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function verifyLog(core: AuthorityCore, signal: AbortSignal | undefined): Promise<AuditReport> {
  const { store, device } = core.components
  const durable = core.journal.durableNumber
  const report = await walkLog({ store, device: device.did, signal, visit: () => undefined })
  return reportOf(report, core.damage === undefined ? durable : -1)
}

/** What is on the disk must reach as far as what this process knows to be there. */
function reportOf({ entries, first, last, head, problem }: WalkReport, durable: number): AuditReport {
  const cut =
    problem === undefined && last < durable
      ? {
          code: 'ERR_AUDIT_CUT' as const,
          number: last + 1,
          sentence: `the log ends with entry ${last}, and ${durable} were written`
        }
      : problem
  return {
    isWhole: cut === undefined,
    ...{ entries, first, last, head: head?.hash ?? NO_HASH },
    ...(cut === undefined ? {} : { problem: cut })
  }
}

async function replayLog(core: AuthorityCore, signal: AbortSignal | undefined): Promise<ReplayReport> {
  const { store, device } = core.components
  let state = createState(device.did)
  let isFirst = true
  let verdicts = 0
  const differences: ReplayDifference[] = []
  const visit = (entry: RecordedEntry, snapshot: Uint8Array | undefined): void => {
    if (isFirst && snapshot !== undefined) state = decodeState(snapshot)
    else if (snapshot !== undefined) differences.push(...differingState(state, entry, snapshot))
    isFirst = false
    if (entry.kind === 'verdict') {
      verdicts += 1
      differences.push(...differingVerdict(core, state, entry))
    }
    applyEntry(state, entry)
  }
  const { entries, problem } = await walkLog({ store, device: device.did, signal, visit })
  return {
    agrees: differences.length === 0 && problem === undefined,
    ...{ entries, verdicts, differing: differences.length },
    differences: differences.slice(0, DIFFERENCES_MAX),
    ...(problem === undefined ? {} : { problem })
  }
}

function differingState(
  state: AuthorityState,
  { number }: RecordedEntry,
  snapshot: Uint8Array
): ReplayDifference[] {
  const derived = hashOf(encodeState(state))
  const recorded = hashOf(snapshot)
  return derived === recorded ? [] : [{ number, recorded: `state ${recorded}`, derived: `state ${derived}` }]
}

/** Derives a verdict from the state before it, and compares. */
function differingVerdict(
  core: AuthorityCore,
  state: AuthorityState,
  entry: VerdictEntry
): ReplayDifference[] {
  const { lineage, sessionId, subject, command, resource, timeMs } = entry
  const ceiling = state.lineages.get(lineage)?.ceiling
  if (
    ceiling?.hash !== entry.ceiling ||
    state.revocations !== entry.revocations ||
    state.epoch !== entry.epoch
  ) {
    return [
      { number: entry.number, recorded: verdictText(entry), derived: 'another ceiling, epoch or revocations' }
    ]
  }
  try {
    const audience = core.keyOf(lineage).did
    const question = { lineage, sessionId, audience, subject, command, resource, nowMs: timeMs }
    const decision = decide({ state, verifier: core.verifier }, { ...question, ceiling: ceiling.entries })
    const derived = verdictText(decisionFields(decision))
    const recorded = verdictText(entry)
    return derived === recorded ? [] : [{ number: entry.number, recorded, derived }]
  } catch (thrown) {
    return [{ number: entry.number, recorded: verdictText(entry), derived: errorMessage(thrown) }]
  }
}

type VerdictFields = Pick<VerdictEntry, 'isAllowed' | 'code' | 'tokens' | 'counts'>

function decisionFields({ isAllowed, code, chain, counts }: Decision): VerdictFields {
  return {
    ...{ isAllowed, counts, tokens: chain.map(({ token }) => token.cid) },
    ...(code === undefined ? {} : { code })
  }
}

function verdictText({ isAllowed, code, tokens, counts }: VerdictFields): string {
  const uses = counts.map(({ cid, used }) => `${cid}=${used}`)
  return [isAllowed ? 'allowed' : `refused ${code ?? ''}`, ...tokens, ...uses].join(' ')
}
