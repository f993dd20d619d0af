import { errorCode, type Clock, type Logger } from '#contracts'
import {
  CONNECT_TIMEOUT_MS,
  CONTACTS_IN_FLIGHT_MAX,
  CONTACTS_MAX,
  CONTACTS_REMEMBERED_MAX,
  CONTACT_QUEUE_MAX,
  CONTACT_RETRY_MS,
  EXCHANGE_TIMEOUT_MS,
  MEMBERS_ANSWER_BYTES_MAX,
  MEMBERS_PROTOCOL,
  RECONTACT_MS
} from './constants.ts'
import { orAborted, startDeadline } from './deadline.ts'
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
  /** How many subscribers of the room are connected now. */
  readonly peerCount: () => number
  /** The bytes of a members request as of now. */
  readonly request: () => Uint8Array
  /** Called with what a peer answered, and by how much its clock is ahead of ours. */
  readonly onAnswer: (peerId: string, answer: MembersAnswer, clockOffMs: number) => void
}

/** Connects to peers that are said to be in the room, and exchanges memberships with them. */
export interface Contacts extends AsyncDisposable {
  /** A peer that may be a member. It is contacted soon, or not at all when that would be too much. */
  offer(peer: RoomPeer): void
}

interface History {
  isBusy: boolean
  failures: number
  notBeforeMs: number
}

/** Starts with nobody to contact. */
export function startContacts(components: ContactsComponents, init: ContactsInit): Contacts {
  const { clock, logger } = components
  const queue: RoomPeer[] = []
  const histories = new Map<string, History>()
  const tasks = new Set<Promise<void>>()
  const stopping = new AbortController()

  const contact = async (peer: RoomPeer, history: History): Promise<void> => {
    try {
      await exchange(components, init, { peer, signal: stopping.signal })
      history.failures = 0
      history.notBeforeMs = clock.monotonicMs() + RECONTACT_MS
    } catch (error) {
      logger.debug('member not reached', { peer: peer.peerId, code: errorCode(error) })
      history.notBeforeMs = clock.monotonicMs() + nthWait(CONTACT_RETRY_MS, history.failures++)
    }
    history.isBusy = false
  }
  const pump = (): void => {
    while (tasks.size < CONTACTS_IN_FLIGHT_MAX && !stopping.signal.aborted) {
      const peer = queue.shift()
      if (peer === undefined) return
      const task = contact(peer, historyOf(histories, peer.peerId)).then(() => {
        tasks.delete(task)
        pump()
      })
      tasks.add(task)
    }
  }
  return {
    offer: (peer) => {
      if (stopping.signal.aborted || queue.length >= CONTACT_QUEUE_MAX) return
      if (!init.isWanted(peer.peerId) || init.peerCount() >= CONTACTS_MAX) return
      const history = historyOf(histories, peer.peerId)
      if (history.isBusy || clock.monotonicMs() < history.notBeforeMs) return
      history.isBusy = true
      queue.push(peer)
      pump()
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await Promise.allSettled(tasks)
    }
  }
}

function historyOf(histories: Map<string, History>, peerId: string): History {
  const known = histories.get(peerId)
  if (known !== undefined) return known
  if (histories.size >= CONTACTS_REMEMBERED_MAX) {
    for (const [oldest] of [...histories].filter(([, history]) => !history.isBusy).slice(0, 1))
      histories.delete(oldest)
  }
  const history = { isBusy: false, failures: 0, notBeforeMs: 0 }
  histories.set(peerId, history)
  return history
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
