import type { Clock, Logger } from '#contracts'
import { errorMessage } from '#contracts'
import { openEnvelope, sealEnvelope, type Did, type Signer } from '#did'
import * as z from 'zod'
import type { AuditEntry, RecordedEntry } from './audit-types.ts'
import { CapsuleError } from '../errors.ts'
import {
  AUDIT_BYTES_MAX,
  AUDIT_DOMAIN,
  AUDIT_HEAD_TYPE,
  ENTRY_BYTES_MAX,
  FLUSH_MS,
  HEAD_BYTES_MAX,
  MARK_MS,
  PENDING_ENTRIES_MAX,
  SNAPSHOT_ENTRIES
} from './constants.ts'
import { encodeEntry, hashOf } from './entry-codec.ts'
import { STORE_KEYS, type AuthorityStore, type StoreChange } from './store.ts'

/** Where the log stands: signed, and kept beside it. */
export interface AuditHead {
  readonly number: number
  readonly hash: string
  /** Bytes of every entry up to this one, those let go of included. */
  readonly bytes: number
}

/** An entry before the log gives it its place. */
export type NewEntry = AuditEntry extends infer Entry
  ? Entry extends AuditEntry
    ? Omit<Entry, 'number' | 'previous' | 'timeMs' | 'epoch'>
    : never
  : never

/** What the journal works with. */
export interface JournalComponents {
  readonly store: AuthorityStore
  readonly signer: Signer
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'after'>
  readonly logger: Logger
}

/** Where the journal goes on. */
export interface JournalInit {
  readonly head: AuditHead
  /** Where each part of the log begins that can be let go of as a whole, the oldest first. */
  readonly segments: readonly Segment[]
  /** The newest snapshot. */
  readonly snapshot: number
  /** The state as bytes, for a snapshot. */
  readonly encodeState: () => Uint8Array
  /** Makes an entry true; called when it has its place, before it is on the disk. */
  readonly apply: (entry: RecordedEntry) => void
  /** Bytes kept; {@link AUDIT_BYTES_MAX} when absent. */
  readonly bytesMax?: number
  readonly snapshotEntries?: number
}

/** The hash-chained log, written in groups: everything that waits goes to the disk at once. */
export interface Journal extends AsyncDisposable {
  readonly head: AuditHead
  /** Everything up to this entry is on the disk. */
  readonly durableNumber: number
  readonly failure: CapsuleError | undefined
  /** Whether so much waits for the disk that callers should wait with it. */
  readonly isFull: boolean
  /** Gives an entry its place. It is written soon; {@link durable} hurries. */
  append(entry: NewEntry, epoch: number): RecordedEntry
  /** Resolves when the entry of this number is on the disk. @throws CapsuleError `ERR_AUTHORITY_STORE` */
  durable(number: number): Promise<void>
  /** Calls `listener` with every entry that reached the disk. */
  onDurable(listener: (entry: RecordedEntry) => void): Disposable
}

/** A part of the log: its first entry, which is a snapshot unless it is the first of all, and the bytes up to it. */
export interface Segment {
  readonly number: number
  readonly bytesBefore: number
}

/** Seals a head. */
export function sealHead(signer: Signer, { number, hash, bytes }: AuditHead): Uint8Array {
  const payload = { number, hash: Buffer.from(hash, 'hex'), bytes }
  return sealEnvelope(signer, { domain: AUDIT_DOMAIN, type: AUDIT_HEAD_TYPE, payload })
}

const headSchema = z.strictObject({
  number: z.int().min(0),
  hash: z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32),
  bytes: z.int().min(0)
})

/** Opens a head; undefined unless the device signed it. */
export function openHead(device: Did, sealed: Uint8Array): AuditHead | undefined {
  try {
    const labels = { domain: AUDIT_DOMAIN, type: AUDIT_HEAD_TYPE, bytesMax: HEAD_BYTES_MAX }
    const { signer, payload } = openEnvelope(sealed, labels)
    const { number, hash, bytes } = headSchema.parse(payload)
    return signer === device ? { number, bytes, hash: Buffer.from(hash).toString('hex') } : undefined
  } catch {
    return undefined
  }
}

/** Goes on with a log. */
export function createJournal(components: JournalComponents, init: JournalInit): Journal {
  return new GroupedJournal(components, init)
}

class GroupedJournal implements Journal {
  readonly #components: JournalComponents
  readonly #init: JournalInit
  readonly #listeners = new Set<(entry: RecordedEntry) => void>()
  readonly #waiting: { readonly number: number; readonly settle: PromiseWithResolvers<void> }[] = []
  readonly #segments: Segment[]
  #changes: StoreChange[] = []
  #entries: RecordedEntry[] = []
  #head: AuditHead
  #durableHead: AuditHead
  #sinceSnapshot: number
  #flushing: Promise<void> | undefined
  #timer: Disposable | undefined
  #markedAtMs = -Infinity
  durableNumber: number
  failure: CapsuleError | undefined

  constructor(components: JournalComponents, init: JournalInit) {
    this.#components = components
    this.#init = init
    this.#head = init.head
    this.#durableHead = init.head
    this.#segments = [...init.segments]
    this.#sinceSnapshot = init.head.number - init.snapshot
    this.durableNumber = init.head.number
  }

  get head(): AuditHead {
    return this.#head
  }

  get isFull(): boolean {
    return this.#entries.length >= PENDING_ENTRIES_MAX
  }

  append(fields: NewEntry, epoch: number): RecordedEntry {
    const recorded = this.#place(fields, epoch)
    if (this.#sinceSnapshot >= (this.#init.snapshotEntries ?? SNAPSHOT_ENTRIES)) this.#takeSnapshot(epoch)
    this.#timer ??= this.#components.clock.after(FLUSH_MS, () => void this.#flush().catch(() => undefined))
    return recorded
  }

  async durable(number: number): Promise<void> {
    if (this.durableNumber >= number) return
    if (this.failure !== undefined) throw this.failure
    const settle = Promise.withResolvers<void>()
    this.#waiting.push({ number, settle })
    void this.#flush().catch(() => undefined)
    await settle.promise
  }

  onDurable(listener: (entry: RecordedEntry) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush().catch(() => undefined)
    this.#timer?.[Symbol.dispose]()
    if (this.failure === undefined) await this.#mark(Infinity)
  }

  #place(fields: NewEntry, epoch: number): RecordedEntry {
    const { number, hash: previous, bytes } = this.#head
    const timeMs = Math.max(0, Math.trunc(this.#components.clock.nowMs()))
    const entry = { ...fields, number: number + 1, previous, timeMs, epoch } as AuditEntry
    const encoded = encodeEntry(entry)
    // What could not be read again would look like damage: its callers have bounds that keep it from here.
    if (encoded.length > ENTRY_BYTES_MAX) {
      throw new CapsuleError('ERR_GRANT_INVALID', `expected an entry of at most ${ENTRY_BYTES_MAX} bytes`)
    }
    const recorded = { ...entry, hash: hashOf(encoded) }
    this.#head = { number: entry.number, hash: recorded.hash, bytes: bytes + encoded.length }
    this.#changes.push({ type: 'put', key: STORE_KEYS.entry(entry.number), value: encoded })
    this.#entries.push(recorded)
    this.#sinceSnapshot += 1
    this.#init.apply(recorded)
    return recorded
  }

  /** Keeps the state beside the log, and lets go of the oldest entries when they are too many. */
  #takeSnapshot(epoch: number): void {
    const state = this.#init.encodeState()
    const { number } = this.#place({ kind: 'snapshot', state: hashOf(state) }, epoch)
    this.#sinceSnapshot = 0
    this.#changes.push(
      { type: 'put', key: STORE_KEYS.snapshot(number), value: state },
      {
        type: 'put',
        key: STORE_KEYS.checkpoint(number),
        value: sealHead(this.#components.signer, this.#head)
      }
    )
    this.#segments.push({ number, bytesBefore: this.#head.bytes })
    this.#rotate()
  }

  #rotate(): void {
    const bytesMax = this.#init.bytesMax ?? AUDIT_BYTES_MAX
    for (;;) {
      const [oldest, next] = this.#segments
      // What is kept must begin with a snapshot, so the newest segment always stays.
      if (oldest === undefined || next === undefined) return
      if (this.#head.bytes - oldest.bytesBefore <= bytesMax) return
      for (let number = oldest.number; number < next.number; number++) {
        this.#changes.push({ type: 'remove', key: STORE_KEYS.entry(number) })
      }
      this.#changes.push(
        { type: 'remove', key: STORE_KEYS.snapshot(oldest.number) },
        { type: 'remove', key: STORE_KEYS.checkpoint(oldest.number) }
      )
      this.#segments.shift()
    }
  }

  /** Writes until nothing waits. One group is on its way at a time; what comes meanwhile is the next. */
  #flush(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.#flushing ??= this.#writeAll()
    return this.#flushing
  }

  async #writeAll(): Promise<void> {
    // Everybody who asks in this turn shares the group.
    await Promise.resolve()
    while (this.#entries.length > 0 && this.failure === undefined) await this.#writeGroup()
    // In the same turn as the last look, so that nobody waits for a writer that has just gone.
    this.#flushing = undefined
  }

  async #writeGroup(): Promise<void> {
    const head = this.#head
    const entries = this.#entries.splice(0)
    const changes = this.#changes.splice(0)
    const { store, signer } = this.#components
    try {
      await store.write([...changes, { type: 'put', key: STORE_KEYS.head, value: sealHead(signer, head) }])
    } catch (cause) {
      this.#fail(cause)
      return
    }
    this.durableNumber = head.number
    this.#durableHead = head
    this.#settle()
    await this.#mark(this.#components.clock.monotonicMs() - MARK_MS)
    for (const entry of entries) this.#tell(entry)
  }

  /** Keeps the head apart as well, unless that was done lately: a log that is older than it has been cut. */
  async #mark(sinceMs: number): Promise<void> {
    if (this.#markedAtMs > sinceMs || this.durableNumber < 0) return
    const { store, signer, clock, logger } = this.#components
    this.#markedAtMs = clock.monotonicMs()
    try {
      await store.writeMark(sealHead(signer, this.#durableHead))
    } catch (thrown) {
      logger.warn('the head of the audit log cannot be kept apart', { reason: errorMessage(thrown) })
    }
  }

  #settle(): void {
    const reached = this.#waiting.filter(({ number }) => number <= this.durableNumber)
    const rest = this.#waiting.filter(({ number }) => number > this.durableNumber)
    this.#waiting.splice(0, Infinity, ...rest)
    for (const { settle } of reached) settle.resolve()
  }

  #tell(entry: RecordedEntry): void {
    for (const listener of this.#listeners) listener(entry)
  }

  /** level refuses every write after one that failed: nothing more is allowed until the store is opened again. */
  #fail(cause: unknown): void {
    this.failure = new CapsuleError(
      'ERR_AUTHORITY_STORE',
      'the store of grants cannot be written, so nothing is allowed; free some space or mend the disk, and restart the node',
      { cause }
    )
    this.#components.logger.error('the store of grants failed', {
      code: 'ERR_AUTHORITY_STORE',
      reason: errorMessage(cause)
    })
    for (const { settle } of this.#waiting.splice(0)) settle.reject(this.failure)
  }
}
