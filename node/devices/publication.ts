import type { CID } from 'multiformats/cid'
import { createRate, errorCode, errorMessage, type Clock, type Logger, type Random } from '#contracts'
import type { Content } from '#content'
import type { Host, PublisherIndex } from '#dht'
import { DEVICE_LIST_BYTES_MAX, type Did, type Keystore } from '#did'
import { createDeadline } from '../deadline.ts'
import { NodeError } from '../errors.ts'
import {
  DEVICES_ENTRY,
  JUST_MADE_MS,
  LOOKUP_AGAIN_MS,
  LOOKUP_DELAY_MS,
  LOOKUP_EVERY_MS,
  LOOKUP_PAUSE_MS,
  LOOKUP_QUEUE_MAX,
  LOOKUP_TIMEOUT_MS,
  LOOKUPS_AT_ONCE_MAX,
  LOOKUPS_BURST,
  OWN_LOOKUP_TIMEOUT_MS,
  PEOPLE_MET_MAX,
  PUBLISH_RETRY_MS,
  PUBLISH_WAIT_MS
} from './constants.ts'
import type { LookupNotes } from './lookup-notes.ts'
import { readList, type Revocations, type SignedList } from './revocations.ts'
import type { Spread } from './spread.ts'

/** What publishing and looking up lists works with. */
export interface PublicationComponents {
  readonly host: Pick<Host, 'onPeer' | 'peers'>
  readonly index: PublisherIndex
  readonly content: Pick<Content, 'getBlock' | 'putBlock' | 'unpin'>
  readonly keystore: Pick<Keystore, 'personDid' | 'publisher' | 'refresh' | 'summary'>
  readonly revocations: Pick<Revocations, 'isContact' | 'onMet' | 'own'>
  readonly spread: Pick<Spread, 'take'>
  readonly notes: Pick<LookupNotes, 'isRecent' | 'note' | 'spent'>
  readonly clock: Clock
  readonly random: Pick<Random, 'unit'>
  readonly logger: Logger
}

/** The owner's list in the publisher index, and those of others there. */
export interface Publication extends AsyncDisposable {
  /** Publishes the owner's latest list; false when that takes longer, or cannot be done yet: it goes on by itself. */
  publish(o: { readonly signal: AbortSignal; readonly isFirst?: boolean }): Promise<boolean>
  /** Looks for a later list of the owner, so that a change builds upon it; not for long. */
  refreshOwn(signal: AbortSignal): Promise<void>
  /** The list that a person published; `undefined` when there is none or it could not be had, not for long. */
  lookUp(person: Did, signal: AbortSignal): Promise<SignedList | undefined>
}

/** Codes that say that there is nothing in the index. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ERR_NAME_NOT_FOUND', 'ERR_INDEX_ENTRY_NOT_FOUND'])

/** Starts publishing, and looking up the lists of people who are heard. */
export function startPublication(components: PublicationComponents): Publication {
  const stopping = new AbortController()
  const core: PublicationCore = {
    ...components,
    stopping: stopping.signal,
    state: { publishedSequence: 0, isPending: false, isFirst: false, head: undefined, publishing: undefined }
  }
  const lookups = startLookups(core)
  const retry = components.clock.every(PUBLISH_RETRY_MS, () => {
    if (core.state.isPending && core.host.peers().length > 0) void publishOnce(core).catch(() => undefined)
  })
  return {
    publish: async ({ signal, isFirst = false }) => {
      core.state.isPending = true
      core.state.isFirst = isFirst
      using deadline = createDeadline({
        ...{ clock: core.clock, signal, idleMs: PUBLISH_WAIT_MS, what: 'the list was not published' }
      })
      const waited = Promise.withResolvers<boolean>()
      deadline.signal.addEventListener('abort', () => waited.resolve(false), { once: true })
      return await Promise.race([publishOnce(core).catch(() => false), waited.promise])
    },
    refreshOwn: async (signal) => {
      await lookUpOwn(core, signal, OWN_LOOKUP_TIMEOUT_MS)
    },
    lookUp: async (person, signal) => {
      const found = await lookUp(core, person, { signal, timeoutMs: OWN_LOOKUP_TIMEOUT_MS })
      return found === 'absent' ? undefined : found
    },
    [Symbol.asyncDispose]: async () => {
      retry[Symbol.dispose]()
      stopping.abort(new NodeError('ERR_CANCELLED', 'the node stops'))
      await lookups[Symbol.asyncDispose]()
      await core.state.publishing?.catch(() => undefined)
    }
  }
}

interface PublicationState {
  /** The sequence of the owner's list that is in the index, as far as is known. */
  publishedSequence: number
  isPending: boolean
  isFirst: boolean
  head: CID | undefined
  publishing: Promise<boolean> | undefined
}

interface PublicationCore extends PublicationComponents {
  readonly stopping: AbortSignal
  readonly state: PublicationState
}

/** One attempt at a time; whether the latest list is in the index afterwards. */
async function publishOnce(core: PublicationCore): Promise<boolean> {
  const { state, logger } = core
  if (state.publishing !== undefined) await state.publishing.catch(() => undefined)
  const attempt = publishLatest(core)
  state.publishing = attempt
  try {
    return await attempt
  } catch (thrown) {
    const said = { code: errorCode(thrown), reason: errorMessage(thrown) }
    if (!core.stopping.aborted) logger.warn('the device list is not published yet', said)
    return false
  } finally {
    if (state.publishing === attempt) state.publishing = undefined
  }
}

async function publishLatest(core: PublicationCore): Promise<boolean> {
  const { index, content, keystore, revocations, state, stopping: signal } = core
  const list = revocations.own()
  const signer = keystore.publisher()
  if (list === undefined || signer === undefined) return false
  if (list.sequence <= state.publishedSequence) {
    state.isPending = false
    return true
  }
  const name = 'device list'
  const { cid } = await content.putBlock(list.bytes, { codec: 'dag-cbor', public: true, name, signal })
  // While the words are still here this identity was made on this device, so nothing was published elsewhere.
  const firstPublish = state.isFirst || keystore.summary().status.root !== 'absent'
  await index.publish(signer, { ...DEVICES_ENTRY, head: cid, firstPublish, signal })
  const before = state.head
  Object.assign(state, { head: cid, publishedSequence: list.sequence, isPending: false })
  if (before !== undefined && !before.equals(cid)) await content.unpin(before).catch(() => undefined)
  return true
}

/** Takes the owner's list from the index; if it is older than the one here, that is to be published. */
async function lookUpOwn(core: PublicationCore, signal: AbortSignal, timeoutMs: number): Promise<void> {
  const { keystore, revocations, state } = core
  if (core.host.peers().length === 0) return
  const found = await lookUp(core, keystore.personDid, { signal, timeoutMs })
  if (found === undefined) return
  state.publishedSequence = Math.max(state.publishedSequence, found === 'absent' ? 0 : found.sequence)
  const own = revocations.own()
  state.isPending ||= own !== undefined && own.sequence > state.publishedSequence
}

/** Somebody's list from the index, taken; `undefined` when it could not be had. */
async function lookUp(
  core: PublicationCore,
  person: Did,
  { signal: outer, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number }
): Promise<SignedList | 'absent' | undefined> {
  const { index, content, spread, clock, logger } = core
  using deadline = createDeadline({
    ...{ clock, idleMs: timeoutMs, what: 'a device list was not found' },
    signal: AbortSignal.any([outer, core.stopping])
  })
  const { signal } = deadline
  try {
    const { head } = await index.lookup(person, { ...DEVICES_ENTRY, signal })
    const bytes = await content.getBlock(head, { signal })
    if (bytes.length > DEVICE_LIST_BYTES_MAX) throw new Error('expected a smaller device list')
    const list = readList(bytes)
    if (list.person !== person) throw new Error(`expected a list signed by ${person}`)
    await spread.take(list)
    return list
  } catch (thrown) {
    if (ABSENT.has(errorCode(thrown))) return 'absent'
    logger.debug('a device list was not looked up', { person, reason: errorMessage(thrown) })
    return undefined
  }
}

async function lookUpInTurn(core: PublicationCore, person: Did): Promise<void> {
  const { keystore, notes, revocations, stopping: signal } = core
  if (person === keystore.personDid) {
    await lookUpOwn(core, signal, LOOKUP_TIMEOUT_MS)
    return
  }
  const found = await lookUp(core, person, { signal, timeoutMs: LOOKUP_TIMEOUT_MS })
  // contacts are always looked up, and use up nothing of what strangers have
  if (found !== undefined && !revocations.isContact(person)) notes.note(person)
}

/** Whether this person was made on this device a moment ago: nobody else can have published a list of theirs. */
function isJustMade({ keystore, clock }: PublicationCore): boolean {
  const { status, issuedAtMs } = keystore.summary()
  const ageMs = clock.nowMs() - issuedAtMs
  return status.root !== 'absent' && ageMs >= 0 && ageMs < JUST_MADE_MS
}

/**
 * Looks up, a few at a time, the lists of people who are heard, and the owner's when somebody connects. That of the owner and those
 * of contacts come before those of strangers and wait for nobody, however many strangers speak. The list of an owner who was just
 * made is looked up later: at its first start a node would ask twenty strangers, most of whom it has to call for it. A stranger whose
 * list was looked up in a run a moment ago is not looked up again, as in the same run.
 */
function startLookups(core: PublicationCore): AsyncDisposable {
  const { host, clock, random, keystore, revocations, stopping } = core
  const isNew = isJustMade(core)
  const [first, strangers] = [new Set<Did>(isNew ? [] : [keystore.personDid]), new Set<Did>()]
  const lastAtMs = new Map<Did, number>()
  const running = new Set<Promise<void>>()
  const mayLookUp = createLookupRate(core)
  const next = async (): Promise<Did | undefined> => {
    for (;;) {
      const queue = first.size > 0 ? first : strangers
      // Nobody can be asked: that is seen before a turn is used up.
      if (queue.size === 0 || stopping.aborted || host.peers().length === 0) return undefined
      if (queue === first || mayLookUp()) {
        // By lot: the members of a room look up different ones, and whoever finds a revocation tells the others.
        const at = queue === first ? 0 : Math.floor(random.unit() * queue.size)
        const [person] = queue.values().drop(at)
        if (person === undefined) return undefined
        queue.delete(person)
        return person
      }
      await clock.sleep(LOOKUP_PAUSE_MS, stopping)
    }
  }
  const work = async (): Promise<void> => {
    await clock.sleep(LOOKUP_DELAY_MS, stopping)
    for (let person = await next(); person !== undefined; person = await next()) {
      lastAtMs.set(person, clock.monotonicMs())
      dropOldest(lastAtMs, PEOPLE_MET_MAX)
      await lookUpInTurn(core, person)
    }
  }
  const start = (due?: Did): void => {
    if (due !== undefined) first.add(due)
    if (first.size + strangers.size === 0 || stopping.aborted) return
    // One that takes its time must not have a whole room believed meanwhile, whenever the room was met.
    while (running.size < LOOKUPS_AT_ONCE_MAX) {
      const one = work()
        .catch(() => undefined)
        .then(() => void running.delete(one))
      running.add(one)
    }
  }
  const met = revocations.onMet((person) => {
    const before = lastAtMs.get(person)
    if (before !== undefined && clock.monotonicMs() - before < LOOKUP_AGAIN_MS) return
    if (person === keystore.personDid || revocations.isContact(person)) first.add(person)
    else if (before === undefined && core.notes.isRecent(person)) return
    else dropOldest(strangers.add(person), LOOKUP_QUEUE_MAX)
    start()
  })
  const watching = host.onPeer(({ type }) => {
    if (type === 'connected') start()
  })
  const waiting = isNew ? clock.after(LOOKUP_AGAIN_MS, () => start(keystore.personDid)) : undefined
  return {
    [Symbol.asyncDispose]: async () => {
      waiting?.[Symbol.dispose]()
      met[Symbol.dispose]()
      watching[Symbol.dispose]()
      await Promise.all(running)
    }
  }
}

/** Whether one more stranger may be looked up now; what answered lookups used up before a restart does not come back with it. */
function createLookupRate({ clock, notes }: PublicationCore): () => boolean {
  const allow = createRate(clock, { burst: LOOKUPS_BURST, everyMs: LOOKUP_EVERY_MS, namesMax: 1 })
  for (let spent = notes.spent(); spent > 0; spent--) allow('')
  return () => allow('')
}

/** Forgets those that were added first, beyond so many. */
function dropOldest(all: Map<Did, unknown> | Set<Did>, countMax: number): void {
  for (const oldest of [...all.keys().take(Math.max(0, all.size - countMax))]) all.delete(oldest)
}
