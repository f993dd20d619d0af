import type { Clock, Random } from '#contracts'
import { peerIdFromDid } from '#did'
import { CLOCK_DROP_MS, CLOCK_OFF_MS, MEMBERS_MAX, MEMBERS_PER_ANSWER_MAX } from './constants.ts'
import { createDropReporter, dropCodeOf, verdictOf, type MutableCounters } from './counters.ts'
import { RoomError, type RoomDropCode } from './errors.ts'
import type { MemberEntry, MembersAnswer, MembersRequest } from './members-exchange.ts'
import type { MemberTable } from './member-table.ts'
import type { Labels } from './labels.ts'
import type { HistoryAnswer, HistoryRequest } from './history-exchange.ts'
import type { ReceivedMessage, Receiver } from './receiver.ts'
import type { NoticeEvent, RoomEvent } from './room-events.ts'
import type { Speaker } from './speaker.ts'
import type { RoomPeer, TopicMessage, TopicVerdict } from './transport.ts'

/** Collaborators of {@link createInbound}. */
export interface InboundComponents {
  readonly clock: Clock
  readonly random: Random
  readonly receiver: Receiver
  readonly members: MemberTable
  readonly labels: Labels
  readonly speaker: Speaker
  readonly counters: MutableCounters
  readonly emit: (event: RoomEvent) => void
  /** Takes a text of somebody else; whether it is new. */
  readonly keep: (message: ReceivedMessage, bytes: Uint8Array, isPast: boolean) => boolean
  /** What somebody with these marks lacks. */
  readonly recall: (peerId: string, marks: HistoryRequest['marks']) => Promise<HistoryAnswer>
  /** Our own addresses. */
  readonly addresses: () => readonly string[]
  /** A peer that is said to be a member. */
  readonly offer: (peer: RoomPeer) => void
}

/** Everything that comes into a room from the network. No method throws but where it says so. */
export interface Inbound {
  /** A message from the topic. */
  topic(message: TopicMessage): TopicVerdict
  /**
   * Another member's question who is here.
   *
   * @throws RoomError when its presence is not valid
   */
  request(peerId: string, request: MembersRequest): MembersAnswer
  /**
   * Another member that shows who it is.
   *
   * @throws RoomError when its presence is not valid
   */
  admit(peerId: string, presence: Uint8Array): void
  /** A text from another member's history; whether it is new. */
  past(bytes: Uint8Array): boolean
  /**
   * Another member's question what was said.
   *
   * @throws RoomError when its presence is not valid
   */
  recall(peerId: string, request: HistoryRequest): Promise<HistoryAnswer>
  /** Another member's answer. */
  answer(peerId: string, answer: MembersAnswer, clockOffMs: number): void
}

/** The inbound side of one room. */
export function createInbound(components: InboundComponents): Inbound {
  const gate = createGate(components)
  const tellClock = createClockTeller(components.emit)
  const admit = (peerId: string, presence: Uint8Array): void => {
    const taken = gate.accept(() => components.receiver.takeDirect(presence, peerId))
    if ('dropped' in taken) {
      throw new RoomError(taken.dropped, 'expected the valid presence of the peer that asks')
    }
    hear(taken.value, presence, components)
  }
  return {
    admit,
    topic: ({ from, bytes }) => {
      const taken = gate.accept(() => components.receiver.take(bytes, from))
      if ('dropped' in taken) return verdictOf(taken.dropped)
      hear(taken.value, bytes, components)
      return 'accept'
    },
    request: (peerId, request) => {
      const taken = gate.accept(() => components.receiver.takeDirect(request.presence, peerId))
      if (!('dropped' in taken)) return readAnswer(taken.value, request, components)
      // Whoever's clock is too far off could not tell why nobody hears it; it learns our time and nothing else.
      if (taken.dropped === 'ERR_MESSAGE_TIME') {
        return { nowMs: Math.floor(components.clock.nowMs()), sequenceSeen: 0, members: [] }
      }
      throw new RoomError(taken.dropped, 'expected the valid presence of the peer that asks')
    },
    past: (bytes) => {
      const taken = gate.accept(() => components.receiver.verifyPast(bytes))
      if ('dropped' in taken) return false
      const { device, sequence } = taken.value
      // Ours, of before this device forgot: others know its numbers.
      if (device === components.speaker.device) components.speaker.continueAfter(sequence)
      return components.keep(taken.value, bytes, true)
    },
    recall: async (peerId, { presence, marks }) => {
      admit(peerId, presence)
      return await components.recall(peerId, marks)
    },
    answer: (peerId, { members: entries, sequenceSeen }, clockOffMs) => {
      components.speaker.continueAfter(sequenceSeen)
      const [own, ...others] = entries
      const label = own && hearAnswerer(peerId, own, { ...components, gate })
      tellClock(peerId, label ?? 'a member', clockOffMs)
      for (const other of pick(others, others.length, components.random)) {
        hearSay(other, { ...components, gate })
      }
    }
  }
}

type Taken<T> = { readonly value: T } | { readonly dropped: RoomDropCode }

/** Lets what was received in, or counts why not. */
interface Gate {
  accept<T>(read: () => T): Taken<T>
}

function createGate({ clock, counters, emit }: Pick<InboundComponents, 'clock' | 'counters' | 'emit'>): Gate {
  const report = createDropReporter(clock, emit)
  return {
    accept: (read) => {
      counters.received++
      try {
        const value = read()
        counters.accepted++
        return { value }
      } catch (error) {
        const dropped = dropCodeOf(error)
        counters.dropped[dropped]++
        report(dropped)
        return { dropped }
      }
    }
  }
}

/** Takes note of an accepted message, and tells what it changed. */
function hear(message: ReceivedMessage, bytes: Uint8Array, components: InboundComponents): void {
  const { members, speaker, emit } = components
  if (message.device === speaker.device) {
    speaker.continueAfter(message.sequence)
    return
  }
  const presence = message.kind === 'presence' ? bytes : undefined
  const changes = message.kind === 'leave' ? members.left(message.device) : members.heard(message, presence)
  for (const change of changes) emit(change)
  if (message.text !== undefined) components.keep(message, bytes, false)
}

function readAnswer(
  message: ReceivedMessage,
  { presence, addresses }: MembersRequest,
  components: InboundComponents
): MembersAnswer {
  const { clock, random, members, receiver, speaker } = components
  hear(message, presence, components)
  members.reachable(message.device, addresses)
  const others = members.entries().filter(({ device }) => device !== message.device)
  return {
    nowMs: Math.floor(clock.nowMs()),
    sequenceSeen: receiver.sequenceSeen(message.device),
    members: [
      { presence: speaker.showPresence(), addresses: components.addresses() },
      ...pick(others, MEMBERS_PER_ANSWER_MAX - 1, random)
    ]
  }
}

type GatedComponents = InboundComponents & { readonly gate: Gate }

/** Hears the member that answered, and returns what it is called; `undefined` when it did not show who it is. */
function hearAnswerer(peerId: string, entry: MemberEntry, components: GatedComponents): string | undefined {
  const { gate, labels, members, receiver } = components
  const taken = gate.accept(() => receiver.takeDirect(entry.presence, peerId))
  if ('dropped' in taken) return undefined
  hear(taken.value, entry.presence, components)
  members.reachable(taken.value.device, entry.addresses)
  return labels.label(taken.value.author, taken.value.nick)
}

/** Hears of a member from another one. */
function hearSay({ presence, addresses }: MemberEntry, components: GatedComponents): void {
  const { gate, members, offer, receiver, speaker } = components
  const taken = gate.accept(() => receiver.takeHearsay(presence))
  if ('dropped' in taken) return
  const { message, isNews } = taken.value
  if (message.device === speaker.device) return
  if (isNews) hear(message, presence, components)
  members.reachable(message.device, addresses)
  offer({ peerId: peerIdFromDid(message.device), multiaddrs: addresses })
}

function createClockTeller(
  emit: (event: RoomEvent) => void
): (peerId: string, label: string, offMs: number) => void {
  const told = new Set<string>()
  return (peerId, label, offMs) => {
    if (Math.abs(offMs) <= CLOCK_OFF_MS || told.has(peerId) || told.size >= MEMBERS_MAX) return
    told.add(peerId)
    emit(readClockNotice(label, offMs))
  }
}

const MINUTE_MS = 60_000
const HOUR_MS: number = 60 * MINUTE_MS

function readClockNotice(label: string, offMs: number): NoticeEvent {
  const awayMs = Math.abs(offMs)
  const away =
    awayMs < 2 * HOUR_MS
      ? `${Math.round(awayMs / MINUTE_MS)} minutes`
      : `${Math.round(awayMs / HOUR_MS)} hours`
  const side = offMs > 0 ? 'ahead of' : 'behind'
  const effect = awayMs > CLOCK_DROP_MS ? ': messages are dropped until it is set' : ''
  return {
    type: 'notice',
    code: 'clock-differs',
    text: `the clock of ${label} is ${away} ${side} this one; one of the two is wrong${effect}`
  }
}

/** Up to `count` of `items` in random order, so that not everybody turns to the same members. */
function pick<T>(items: readonly T[], count: number, random: Random): readonly T[] {
  const pool = [...items]
  const picked: T[] = []
  while (picked.length < count && pool.length > 0) {
    picked.push(...pool.splice(Math.floor(random.unit() * pool.length), 1))
  }
  return picked
}
