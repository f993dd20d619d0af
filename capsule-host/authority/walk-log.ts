import { errorMessage } from '#contracts'
import type { Did } from '#did'
import type { AuditProblem, RecordedEntry } from './audit-types.ts'
import { decodeEntry, hashOf, NO_HASH } from './entry-codec.ts'
import { openHead, type AuditHead, type Segment } from './journal.ts'
import { LAST_NUMBER, STORE_KEYS, type AuthorityStore } from './store.ts'

/** What is walked, and how far back. */
export interface WalkInit {
  readonly store: AuthorityStore
  readonly device: Did
  /** Only from the newest snapshot on. */
  readonly isNewestOnly?: boolean
  readonly signal?: AbortSignal | undefined
  /** Called with every entry whose place in the chain is right, and at a snapshot with its state. */
  readonly visit: (entry: RecordedEntry, state: Uint8Array | undefined) => void
}

/** What a walk found. */
export interface WalkReport {
  /** Entries that were visited. */
  readonly entries: number
  readonly first: number
  readonly last: number
  /** The signed head, when it is whole. */
  readonly head?: AuditHead
  /** The visited segments. */
  readonly segments: readonly Segment[]
  /** Absent when every hash and signature is right; the walk ends at the first that is not. */
  readonly problem?: AuditProblem
}

/** Where the walk stands. */
interface Position {
  entries: number
  first: number
  last: number
  hash: string
  /** The hash of the entry that the head names, once it was met. */
  hashAtHead?: string
  readonly segments: Segment[]
}

class LogProblem extends Error {
  readonly problem: AuditProblem

  constructor(code: AuditProblem['code'], number: number, sentence: string) {
    super(sentence)
    this.problem = { code, number, sentence }
  }
}

/**
 * Walks the log in the store: every entry follows from the one before by its hash, every segment begins as the device signed it,
 * every snapshot is the one its entry names, and the last entry is the one the signed head names.
 */
export async function walkLog(init: WalkInit): Promise<WalkReport> {
  const position: Position = { entries: 0, first: 0, last: -1, hash: NO_HASH, segments: [] }
  let head: AuditHead | undefined
  try {
    const start = await startOf(init)
    head = await readHead(init, start !== undefined)
    if (start !== undefined && head !== undefined) await walkFrom(start, { init, head, position })
    await compareMark(init, position.last)
  } catch (thrown) {
    init.signal?.throwIfAborted()
    const problem = thrown instanceof LogProblem ? thrown.problem : unreadable(position.last + 1, thrown)
    return { ...summaryOf(position, head), problem }
  }
  return summaryOf(position, head)
}

function summaryOf(
  { entries, first, last, segments }: Position,
  head: AuditHead | undefined
): Omit<WalkReport, 'problem'> {
  return { entries, first, last, segments, ...(head === undefined ? {} : { head }) }
}

async function startOf({ store, isNewestOnly = false }: WalkInit): Promise<number | undefined> {
  if (isNewestOnly) {
    const newest = {
      from: STORE_KEYS.snapshot(0),
      to: STORE_KEYS.snapshot(LAST_NUMBER),
      isReversed: true,
      limit: 1
    }
    for await (const [key] of store.entries(newest)) return numberOf(key)
  }
  const oldest = { from: STORE_KEYS.entry(0), to: STORE_KEYS.entry(LAST_NUMBER), limit: 1 }
  for await (const [key] of store.entries(oldest)) return numberOf(key)
  return undefined
}

async function readHead({ store, device }: WalkInit, hasEntries: boolean): Promise<AuditHead | undefined> {
  const sealed = await store.get(STORE_KEYS.head)
  if (sealed === undefined) {
    if (!hasEntries) return undefined
    throw new LogProblem('ERR_AUDIT_CUT', 0, 'the signed head of the log is missing')
  }
  const head = openHead(device, sealed)
  if (head === undefined) {
    throw new LogProblem('ERR_AUDIT_TAMPERED', 0, 'the head of the log is not signed by this device')
  }
  if (!hasEntries) {
    throw new LogProblem('ERR_AUDIT_CUT', head.number, `every entry up to number ${head.number} is missing`)
  }
  return head
}

/** The head that is kept apart is at most as new as the log, unless the store was replaced by an older copy of itself. */
async function compareMark({ store, device }: WalkInit, last: number): Promise<void> {
  const sealed = await store.readMark()
  const mark = sealed === undefined ? undefined : openHead(device, sealed)
  if (mark === undefined || mark.number <= last) return
  throw new LogProblem(
    'ERR_AUDIT_CUT',
    last + 1,
    `the log ends with entry ${last}, and ${mark.number} was seen on this device`
  )
}

async function walkFrom(
  start: number,
  { init, head, position }: { init: WalkInit; head: AuditHead; position: Position }
): Promise<void> {
  const { store, signal } = init
  position.first = start
  position.last = start - 1
  for await (const [key, bytes] of store.entries({
    from: STORE_KEYS.entry(start),
    to: STORE_KEYS.entry(LAST_NUMBER)
  })) {
    signal?.throwIfAborted()
    const number = numberOf(key)
    if (number !== position.last + 1) {
      throw new LogProblem('ERR_AUDIT_TAMPERED', position.last + 1, `entry ${position.last + 1} is missing`)
    }
    await visitEntry(bytes, { init, position, isFirst: number === start })
    if (number === head.number) position.hashAtHead = position.hash
  }
  if (position.last < head.number) {
    throw new LogProblem(
      'ERR_AUDIT_CUT',
      position.last + 1,
      `the log ends with entry ${position.last}, and the device signed up to ${head.number}`
    )
  }
  if (position.hashAtHead !== head.hash) throw changed(head.number)
  // Something may have been written while it was read: then the head says so by now.
  if (position.last > head.number && ((await readHead(init, true))?.number ?? 0) < position.last) {
    throw new LogProblem('ERR_AUDIT_TAMPERED', head.number + 1, 'entries follow that the device never signed')
  }
}

async function visitEntry(
  bytes: Uint8Array,
  { init, position, isFirst }: { init: WalkInit; position: Position; isFirst: boolean }
): Promise<void> {
  const number = position.last + 1
  const entry = decodeOrRefuse(bytes, number)
  if (isFirst && number > 0) {
    // What was before is gone: the device's signature stands in for it.
    if (entry.kind !== 'snapshot') throw changed(number)
  } else if (entry.previous !== position.hash) {
    throw changed(number === 0 ? 0 : number - 1)
  }
  position.hash = entry.hash
  position.last = number
  position.entries += 1
  if (number === 0) position.segments.push({ number, bytesBefore: 0 })
  const state = entry.kind === 'snapshot' ? await readSnapshot(init, entry, position) : undefined
  init.visit(entry, state)
}

async function readSnapshot(
  { store, device }: WalkInit,
  entry: RecordedEntry & { readonly kind: 'snapshot' },
  position: Position
): Promise<Uint8Array> {
  const sealed = await store.get(STORE_KEYS.checkpoint(entry.number))
  const checkpoint = sealed === undefined ? undefined : openHead(device, sealed)
  if (checkpoint?.number !== entry.number || checkpoint.hash !== entry.hash) throw changed(entry.number)
  const state = await store.get(STORE_KEYS.snapshot(entry.number))
  if (state === undefined || hashOf(state) !== entry.state) {
    throw new LogProblem(
      'ERR_AUDIT_TAMPERED',
      entry.number,
      `the state kept with entry ${entry.number} was changed`
    )
  }
  position.segments.push({ number: entry.number, bytesBefore: checkpoint.bytes })
  return state
}

/** Tables that the disk damaged, or a state that is none. */
function unreadable(number: number, thrown: unknown): AuditProblem {
  const sentence = `entry ${number}, or what belongs to it, cannot be read (${errorMessage(thrown)})`
  return { code: 'ERR_AUDIT_TAMPERED', number, sentence }
}

function decodeOrRefuse(bytes: Uint8Array, number: number): RecordedEntry {
  try {
    const entry = decodeEntry(bytes)
    if (entry.number === number) return { ...entry, hash: hashOf(bytes) }
  } catch {
    // Bytes that are no entry were not written by this program.
  }
  throw changed(number)
}

function changed(number: number): LogProblem {
  return new LogProblem('ERR_AUDIT_TAMPERED', number, `entry ${number}, or what follows it, was changed`)
}

function numberOf(key: string): number {
  return Number.parseInt(key.slice(key.indexOf('/') + 1), 16)
}
