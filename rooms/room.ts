import type { Clock, Logger, Random } from '#contracts'
import { didFromPeerId, peerIdFromDid, type Did, type Signer } from '#did'
import { startContacts } from './contacts.ts'
import { createCounters, type MutableCounters, type RoomCounters } from './counters.ts'
import { RoomError } from './errors.ts'
import { createEventHub, type EventHub } from './event-hub.ts'
import { createInbound, type Inbound } from './inbound.ts'
import { createLostPeers, type LostPeers } from './lost-peers.ts'
import { createLabels, type Labels } from './labels.ts'
import { encodeMembersRequest } from './members-exchange.ts'
import { encodeHistoryRequest } from './history-exchange.ts'
import { startHistoryServer, type HistoryServer } from './history-server.ts'
import { startMembersServer, type MembersServer } from './members-server.ts'
import { startModeration, type RoomModeration, type RunningModeration } from './moderation/moderation.ts'
import { startModerationServer, type ModerationServer } from './moderation/server.ts'
import type { Mailbox } from './mailbox/mailbox.ts'
import { startRoomMail, type RoomMail, type RoomMailInit } from './mailbox/room-box.ts'
import { openMessage } from './message.ts'
import { createMemberTable, type Member, type MemberTable } from './member-table.ts'
import { startOutbox, type Outbox } from './outbox.ts'
import { startPresence, type Presence } from './presence.ts'
import { createReceiver } from './receiver.ts'
import { startRendezvous } from './rendezvous-loop.ts'
import { roomTopic } from './rendezvous.ts'
import type { NoticeEvent, RoomEvent } from './room-events.ts'
import { startRoomHistory, type RoomHistory } from './room-history.ts'
import { createSpeaker, type Speaker } from './speaker.ts'
import { createMemoryRoomStore, type RoomStore } from './store.ts'
import { parseRoomName } from './text.ts'
import { toldEvents } from './told-events.ts'
import type { RoomPeer, RoomTransport } from './transport.ts'
import { startWatch } from './watch.ts'

/** Collaborators of a room. */
export interface RoomComponents {
  /** The key of this device, which is also its PeerId. */
  readonly signer: Signer
  /** Binds the device to its person; without one the device speaks for itself. Every member sees it. */
  readonly certificate?: Uint8Array
  readonly transport: RoomTransport
  /** Where what was said is kept; without one it is forgotten with the room. */
  readonly store?: RoomStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** People and devices whom this node does not want to hear or meet. */
  readonly isDenied?: (did: Did) => boolean
  /** Whether a person has revoked a device of theirs: its messages are dropped, and it is no member any more. */
  readonly isRevoked?: (person: Did, device: Did) => boolean
}

/** Which room, as whom. */
export interface RoomInit {
  /** 1 to 64 visible characters; whoever knows it can join, read, and see the members' addresses. */
  readonly room: string
  /** 1 to 32 visible characters. */
  readonly nick: string
}

/** What became of a text. */
export interface SendResult {
  /** The id of the message, as in its event. */
  readonly id: string
  /** How many peers took it; 0 when nobody was there within 15 seconds. It stays in the history, which others ask for. */
  readonly recipients: number
}

/** A room this node is in, until it is disposed; then the others are told. */
export interface Room extends AsyncDisposable {
  /** The name in its normal form. */
  readonly name: string
  readonly counters: RoomCounters
  /** Lists of what is not to be shown here, by those whom this node's person follows. */
  readonly moderation: RoomModeration
  /**
   * Says something to everybody here. Our own message comes back as an event at once; the promise resolves, and
   * a `sent` event follows, when somebody took it or nobody came in time.
   *
   * @throws RoomError `ERR_TEXT_TOO_LONG`, `ERR_TEXT_INVALID`, `ERR_ROOM_BUSY` or `ERR_ROOM_CLOSED`
   */
  send(text: string): Promise<SendResult>
  /** Who is here, ourselves first. */
  members(): readonly Member[]
  /**
   * Changes what we are called.
   *
   * @throws RoomError `ERR_NICK_INVALID` or `ERR_ROOM_CLOSED`
   */
  setNick(nick: string): void
  /**
   * What happens, until the room is disposed: for the first caller from the beginning, for others from now on. A
   * consumer more than 1,024 events behind misses the oldest, and is told how many.
   *
   * @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers
   */
  events(): AsyncIterable<RoomEvent>
  /**
   * For a person: what was said before, marked as history, then {@link Room.events}. What was seen in an earlier
   * visit is marked so; asking for the next event is how a reader says that it has seen the last.
   *
   * @throws RoomError `ERR_ROOM_BUSY` when there are too many consumers
   */
  told(): AsyncIterable<RoomEvent>
}

/** What all rooms of a node share. */
export interface RoomServers {
  readonly members: MembersServer
  readonly history: HistoryServer
  readonly moderation: ModerationServer
  /** What is said is kept there for those who come when nobody is here. */
  readonly mailbox?: Mailbox
}

/**
 * Joins a room: announces us and looks for others at once, and keeps doing so until disposed. Resolves as soon as
 * that has begun; nobody may be here yet.
 *
 * @throws RoomError `ERR_ROOM_NAME_INVALID` or `ERR_NICK_INVALID`
 * @throws DidError when the certificate is not one for this device
 * @see docs/protocols/room.md
 */
export async function startRoom(components: RoomComponents, init: RoomInit): Promise<Room> {
  await using stack = new AsyncDisposableStack()
  const members = stack.use(await startMembersServer(components.transport))
  const history = stack.use(await startHistoryServer(components.transport))
  const moderation = stack.use(await startModerationServer(components.transport))
  const room = stack.use(await startRoomOn({ members, history, moderation }, components, init))
  const running = stack.move()
  return { ...room, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** {@link startRoom} for a node whose rooms share their servers. */
export async function startRoomOn(
  servers: RoomServers,
  components: RoomComponents,
  init: RoomInit
): Promise<Room> {
  const { transport, clock, random } = components
  const logger = components.logger.child('room')
  const kept = { ...components, store: components.store ?? createMemoryRoomStore(), logger }
  const core = await createCore(components, init)
  const { name, topic, speaker, members, hub } = core
  const inbound = createInbound({
    ...{ clock, random, ...core },
    receiver: createReceiver({ room: name, clock, ...denialsOf(components) }),
    emit: hub.emit,
    keep: (...text) => history.keep(...text),
    recall: async (...question) => await history.recall(...question),
    addresses: () => transport.addresses(),
    offer: (peer) => contacts.offer(peer)
  })

  await using stack = new AsyncDisposableStack()
  const peerCount = (): number => transport.peersOf(topic).length
  const moderation = stack.use(await openModeration(servers, kept, { ...core, inbound }))
  const history = stack.use(await openRoomHistory(kept, { ...core, moderation }, inbound))
  const outbox = stack.use(startOutbox({ transport, clock, logger }, topic))
  const mail = stack.use(openMail(servers, components, { room: name, take: inbound.past, peerCount }))
  const contacts = stack.use(
    startContacts(
      { transport, clock, logger },
      {
        isWanted: (peerId) => isWanted(peerId, components),
        peers: () => transport.peersOf(topic),
        request: () =>
          encodeMembersRequest({ topic, presence: speaker.showPresence(), addresses: transport.addresses() }),
        onAnswer: inbound.answer
      }
    )
  )
  const presence = stack.use(
    startPresence(components, { speaker, outbox, peerCount, memberCount: () => members.list().length })
  )
  stack.use(servers.members.register(topic, inbound.request))
  stack.use(servers.history.register(topic, inbound.recall))
  stack.use(transport.subscribe(topic, inbound.topic))
  const onJoin = (peerId: string): void => {
    history.met(peerId)
    outbox.retry()
    presence.greet()
    contacts.met(peerId)
  }
  stack.use(transport.onPeerJoin?.(topic, onJoin))
  const rendezvous = stack.use(
    startRendezvous(
      { transport, clock, random, logger },
      { room: name, peerCount, onFound: contacts.offer, onUnannounced: () => hub.emit(UNANNOUNCED) }
    )
  )
  const lost = watchLost(components, { topic, members, offer: contacts.offerLost })
  stack.use(startWatch({ clock, hub, members, peerCount, lost, search: rendezvous.search }))
  return createRoom({ ...core, outbox, clock, presence, history, moderation, mail, running: stack.move() })
}

/** What a room knows before it touches the network. */
interface RoomCore {
  readonly name: string
  readonly topic: string
  readonly speaker: Speaker
  readonly labels: Labels
  readonly members: MemberTable
  readonly counters: MutableCounters
  readonly hub: EventHub
}

async function createCore(components: RoomComponents, init: RoomInit): Promise<RoomCore> {
  const name = parseRoomName(init.room)
  const speaker = createSpeaker({ ...components, room: name, nick: init.nick })
  const labels = createLabels()
  labels.label(speaker.author, speaker.nick)
  const members = createMemberTable({ clock: components.clock, labels, ...denialsOf(components) })
  const counters = createCounters()
  const hub = createEventHub((count) => (counters.eventsDropped += count))
  return { name, topic: await roomTopic(name), speaker, labels, members, counters, hub }
}

function denialsOf({ isDenied, isRevoked }: RoomComponents): Pick<RoomComponents, 'isDenied' | 'isRevoked'> {
  return {
    ...(isDenied === undefined ? {} : { isDenied }),
    ...(isRevoked === undefined ? {} : { isRevoked })
  }
}

async function openModeration(
  servers: RoomServers,
  components: RoomComponents & { readonly store: RoomStore },
  { name, topic, speaker, hub, inbound }: RoomCore & { readonly inbound: Inbound }
): Promise<RunningModeration> {
  return await startModeration(components, {
    ...{ room: name, topic, author: speaker.author, emit: hub.emit, admit: inbound.admit },
    showPresence: speaker.showPresence,
    serve: (handler) => servers.moderation.register(topic, handler)
  })
}

async function openRoomHistory(
  components: RoomComponents & { readonly store: RoomStore },
  { topic, speaker, labels, hub, moderation }: RoomCore & { readonly moderation: RunningModeration },
  inbound: Inbound
): Promise<RoomHistory> {
  const history = await startRoomHistory(
    { ...components, labels, emit: (event) => hub.emit(moderation.mark(event)) },
    {
      topic,
      device: speaker.device,
      request: (marks) => encodeHistoryRequest({ topic, presence: speaker.showPresence(), marks }),
      takePast: inbound.past,
      verify: (bytes) => openMessage(bytes, { room: speaker.room })
    }
  )
  // The clock may have been set back since the last visit, however far.
  speaker.continueOwn(history.ownHigh())
  return history
}

function openMail(
  { mailbox }: RoomServers,
  { clock, random, logger }: RoomComponents,
  init: RoomMailInit
): RoomMail | undefined {
  return mailbox === undefined ? undefined : startRoomMail({ mailbox, clock, random, logger }, init)
}

function isWanted(peerId: string, { signer, isDenied }: RoomComponents): boolean {
  try {
    const did = didFromPeerId(peerId)
    return did !== signer.did && isDenied?.(did) !== true
  } catch {
    // A peer with another kind of key has no did, and so cannot be a member.
    return false
  }
}

interface WatchLostInit {
  readonly topic: string
  readonly members: MemberTable
  readonly offer: (peer: RoomPeer) => void
}

function watchLost(
  { transport, clock, random }: RoomComponents,
  { topic, members, offer }: WatchLostInit
): LostPeers {
  return createLostPeers({
    ...{ clock, random, offer },
    connected: () => transport.peersOf(topic),
    memberAt: (peerId) => {
      const member = members.entries().find(({ device }) => peerIdFromDid(device) === peerId)
      return member && { peerId, multiaddrs: member.addresses }
    }
  })
}

const UNANNOUNCED: NoticeEvent = {
  type: 'notice',
  code: 'unannounced',
  text: 'this room could not be announced to the network yet, so others may not find you; still trying'
}

interface RoomParts extends RoomCore {
  readonly clock: Clock
  readonly outbox: Outbox
  readonly presence: Presence
  readonly history: RoomHistory
  readonly moderation: RunningModeration
  readonly mail: RoomMail | undefined
  readonly running: AsyncDisposable
}

function createRoom(parts: RoomParts): Room {
  const { clock, speaker, outbox, members, labels, counters, hub, history, moderation } = parts
  const joinedAtMs = clock.nowMs()
  let disposing: Promise<void> | undefined
  let keptLast: Promise<unknown> = Promise.resolve()
  const self = (): Member => {
    const { author, device, nick } = speaker
    return { author, device, nick, label: labels.label(author, nick), isSelf: true, joinedAtMs }
  }
  const assertOpen = (): void => {
    if (disposing !== undefined) throw new RoomError('ERR_ROOM_CLOSED', 'expected a room that was not left')
  }
  const stop = async (): Promise<void> => {
    await keptLast
    await outbox.publishOnce(speaker.say('leave'))
    await parts.running[Symbol.asyncDispose]()
    hub.close()
  }
  return {
    name: parts.name,
    counters,
    moderation,
    members: () => [self(), ...members.list()],
    events: hub.events,
    told: () => {
      const events = hub.events()[Symbol.asyncIterator]()
      return toldEvents({
        events,
        past: async () => (await history.past()).map((event) => moderation.mark(event)),
        onSeen: (at) => history.markSeen(at)
      })
    },
    setNick: (nick) => {
      assertOpen()
      const previousLabel = self().label
      speaker.nick = nick
      hub.emit({ type: 'nick', member: self(), previousLabel })
      parts.presence.hello()
    },
    send: async (text) => {
      assertOpen()
      const { bytes, message } = speaker.sayText(text, history.ownHigh())
      const id = `${speaker.device}:${message.sequence}`
      // Nobody hears what is not in our own history: after a crash we know what we said.
      const kept = Promise.withResolvers<void>()
      const posted = outbox.post(bytes, kept.promise)
      const keeping = history.keepOwn(message, bytes).then(() => {
        parts.mail?.post(bytes)
        kept.resolve()
      })
      // Whoever leaves right after speaking has spoken.
      keptLast = Promise.all([keptLast, keeping])
      await keeping
      const recipients = await posted
      counters[recipients > 0 ? 'sent' : 'unheard']++
      if (recipients > 0) parts.presence.spoke()
      hub.emit({ type: 'sent', id, recipients })
      return { id, recipients }
    },
    [Symbol.asyncDispose]: () => (disposing ??= stop())
  }
}
