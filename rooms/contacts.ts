import { errorCode, orAborted, type Clock, type Logger } from '#contracts'
import {
  ASKED_WHO_IS_HERE,
  CONNECT_TIMEOUT_MS,
  CONTACTS_IN_FLIGHT_MAX,
  CONTACTS_MAX,
  CONTACTS_REMEMBERED_MAX,
  CONTACT_QUEUE_MAX,
  CONTACT_RETRY_MS,
  EXCHANGE_TIMEOUT_MS,
  LOST_IN_FLIGHT_MAX,
  LOST_RETRY_MS,
  MEMBERS_ANSWER_BYTES_MAX,
  MEMBERS_PROTOCOL,
  RECONTACT_MS,
  WHO_IS_HERE_TRIES_MAX
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import { decodeMembersAnswer, type MembersAnswer } from './members-exchange.ts'
import { nthWait } from './pause.ts'
import type { RoomPeer, RoomTransport } from './transport.ts'

/** Collaborators of the contacts. */
export interface ContactsComponents {
  readonly transport: Pick<RoomTransport, 'connect' | 'request'>
  readonly clock: Clock
  readonly logger: Logger
}

/** What contacts are made for. */
export interface ContactsInit {
  /** Whether this peer is worth contacting at all: not ourselves, not denied. */
  readonly isWanted: (peerId: string) => boolean
  /** The subscribers of the room that are connected now. */
  readonly peers: () => readonly string[]
  /** The bytes of a members request as of now. */
  readonly request: () => Uint8Array
  /** Called with what a peer answered, and by how much its clock is ahead of ours. */
  readonly onAnswer: (peerId: string, answer: MembersAnswer, clockOffMs: number) => void
}

/** Connects to peers that are said to be in the room, and exchanges memberships with them. */
export interface Contacts extends AsyncDisposable {
  /** A peer that may be a member. It is contacted soon, or not at all when that would be too much. */
  offer(peer: RoomPeer): void
  /**
   * A member whose connection broke: nobody had to tell us that it is one, so it is tried at shorter intervals, however
   * many others are here. Few at a time, which may all be unreachable: they hold up nobody who is new.
   */
  offerLost(peer: RoomPeer): void
  /** A member connected. The first few are asked who is here, and others in place of who does not answer: few may greet us. */
  met(peerId: string): void
}

interface History {
  isBusy: boolean
  /** Whether it is a member whose connection broke, until it is reached. */
  isLost: boolean
  failures: number
  /** When the last contact ended. */
  lastMs: number
}

interface Offer {
  readonly peer: RoomPeer
  readonly history: History
}

/** Starts with nobody to contact. */
export function startContacts(components: ContactsComponents, init: ContactsInit): Contacts {
  const { clock } = components
  const queue: Offer[] = []
  const histories = new Map<string, History>()
  const tasks = new Set<Promise<void>>()
  const stopping = new AbortController()
  const inFlight = { offers: 0, lost: 0, questions: 0 }
  let answered = 0
  let tries = 0

  const begin = ({ peer, history }: Offer, kinds: readonly (keyof typeof inFlight)[]): void => {
    for (const kind of kinds) inFlight[kind]++
    const task = isReached(components, init, { peer, signal: stopping.signal }).then((isHere) => {
      tasks.delete(task)
      for (const kind of kinds) inFlight[kind]--
      if (isHere) answered++
      if (isHere) reached(history, histories)
      else history.failures++
      Object.assign(history, { lastMs: clock.monotonicMs(), isBusy: false })
      pump()
      for (const peerId of init.peers()) askWhoIsHere(peerId)
    })
    tasks.add(task)
  }
  const pump = (): void => {
    while (inFlight.offers < CONTACTS_IN_FLIGHT_MAX && !stopping.signal.aborted) {
      const at = queue.findIndex(({ history }) => !history.isLost || inFlight.lost < LOST_IN_FLIGHT_MAX)
      const [next] = at < 0 ? [] : queue.splice(at, 1)
      if (next === undefined) return
      begin(next, next.history.isLost ? ['offers', 'lost'] : ['offers'])
    }
  }
  const takeUp = (peer: RoomPeer, isLost: boolean): Offer | undefined => {
    if (stopping.signal.aborted || !init.isWanted(peer.peerId)) return undefined
    const history = historyOf(histories, peer.peerId)
    return isDue(history, { isLost, nowMs: clock.monotonicMs() }) ? { peer, history } : undefined
  }
  const add = (peer: RoomPeer, isLost: boolean): void => {
    const offer = queue.length < CONTACT_QUEUE_MAX ? takeUp(peer, isLost) : undefined
    if (offer !== undefined) queue.push(offer)
    pump()
  }
  // Beside the queue: those in it may all be unreachable, and these are connected.
  const askWhoIsHere = (peerId: string): void => {
    if (answered + inFlight.questions >= ASKED_WHO_IS_HERE || tries >= WHO_IS_HERE_TRIES_MAX) return
    const question = takeUp({ peerId, multiaddrs: [] }, false)
    if (question === undefined) return
    tries++
    begin(question, ['questions'])
  }
  return {
    offer: (peer) => {
      if (init.peers().length < CONTACTS_MAX) add(peer, false)
    },
    offerLost: (peer) => add(peer, true),
    met: askWhoIsHere,
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await Promise.allSettled(tasks)
    }
  }
}

/** Whether a peer may be contacted now: from then on it is busy. */
function isDue(history: History, { isLost, nowMs }: { isLost: boolean; nowMs: number }): boolean {
  if (history.isBusy) return false
  history.isLost ||= isLost
  history.isBusy = nowMs >= dueMs(history)
  return history.isBusy
}

/** When a peer may be contacted again. */
function dueMs({ isLost, failures, lastMs }: History): number {
  if (failures > 0) return lastMs + nthWait(isLost ? LOST_RETRY_MS : CONTACT_RETRY_MS, failures - 1)
  return isLost ? lastMs : lastMs + RECONTACT_MS
}

function reached(history: History, histories: ReadonlyMap<string, History>): void {
  // One is back: so may be the others who were cut off with it.
  if (history.isLost && history.failures > 0)
    for (const other of histories.values()) if (other.isLost) other.failures = 0
  history.failures = 0
  history.isLost = false
}

function historyOf(histories: Map<string, History>, peerId: string): History {
  const known = histories.get(peerId)
  if (known !== undefined) return known
  if (histories.size >= CONTACTS_REMEMBERED_MAX) {
    for (const [oldest] of [...histories].filter(([, history]) => !history.isBusy).slice(0, 1))
      histories.delete(oldest)
  }
  const history = { isBusy: false, isLost: false, failures: 0, lastMs: -Infinity }
  histories.set(peerId, history)
  return history
}

async function isReached(
  components: ContactsComponents,
  init: ContactsInit,
  to: { readonly peer: RoomPeer; readonly signal: AbortSignal }
): Promise<boolean> {
  try {
    await exchange(components, init, to)
    return true
  } catch (error) {
    components.logger.debug('member not reached', { peer: to.peer.peerId, code: errorCode(error) })
    return false
  }
}

async function exchange(
  { transport, clock }: ContactsComponents,
  { request, onAnswer }: ContactsInit,
  { peer, signal }: { readonly peer: RoomPeer; readonly signal: AbortSignal }
): Promise<void> {
  {
    using deadline = startDeadline(clock, CONNECT_TIMEOUT_MS, signal)
    await orAborted(transport.connect(peer, deadline), deadline.signal)
  }
  using deadline = startDeadline(clock, EXCHANGE_TIMEOUT_MS, signal)
  const startedMs = clock.monotonicMs()
  const options = { signal: deadline.signal, responseBytesMax: MEMBERS_ANSWER_BYTES_MAX }
  const bytes = await orAborted(
    transport.request(peer.peerId, MEMBERS_PROTOCOL, request(), options),
    deadline.signal
  )
  const answer = decodeMembersAnswer(bytes)
  const tookMs = clock.monotonicMs() - startedMs
  onAnswer(peer.peerId, answer, Math.round(answer.nowMs + tookMs / 2 - clock.nowMs()))
}
