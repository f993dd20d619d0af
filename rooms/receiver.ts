import { errorCode, type Clock } from '#contracts'
import { peerIdFromDid, personOfDevice, type Did } from '#did'
import {
  CLOCK_DROP_MS,
  CLOCK_OFF_MS,
  HISTORY_AGE_MS,
  PRESENCES_PER_SECOND,
  PRESENCE_BURST,
  PRESENCE_EXPIRY_MS,
  RATED_MAX,
  SOURCE_BURST,
  SOURCE_PER_SECOND,
  TEXTS_PER_SECOND,
  TEXT_BURST
} from './constants.ts'
import { RoomError } from './errors.ts'
import { openMessage, type MessageKind, type PersonOfDevice, type VerifiedMessage } from './message.ts'
import { createRateLimit } from './rate-limit.ts'
import { createReplayGuard } from './replay-guard.ts'

/** A message that is genuine, not too old, and from nobody denied; it may still have been seen before. */
export interface ReceivedMessage extends VerifiedMessage {
  /** By how much the author's clock differs from ours (positive: ahead), when that is worth telling. */
  readonly clockOffMs: number | undefined
}

/** What stands between the network and a room. Everything is checked; nothing is sent or waited for. */
export interface Receiver {
  /**
   * The checks that need no memory of earlier messages: size, signature, schema, room, certificate, deny list, revocation, time.
   *
   * @throws RoomError one of the `ERR_MESSAGE_…` codes
   */
  verify(bytes: Uint8Array): ReceivedMessage
  /**
   * Takes note that the message is used now.
   *
   * @throws RoomError `ERR_MESSAGE_REPLAYED`, `ERR_MESSAGE_RATE` or `ERR_ROOM_CROWDED`
   */
  admit(message: ReceivedMessage): void
  /**
   * A text from another member's history or from a mailbox: older than what is taken from the topic, and seen by whoever
   * kept it. Whether it was delivered before is for the history to know.
   */
  verifyPast(bytes: Uint8Array): ReceivedMessage
  /** Both, for a message that peer `from` relayed: how much it may hand us is limited before anything is verified. */
  take(bytes: Uint8Array, from: string): ReceivedMessage
  /**
   * The presence of peer `from` itself, presented on a connection that proved who it is: one that was seen before
   * still shows that the peer is here now.
   */
  takeDirect(bytes: Uint8Array, from: string): ReceivedMessage
  /**
   * The presence of a member as another one tells it. It is news only while it is fresh and was not seen before;
   * otherwise it is no more than a hint that the member was here.
   */
  takeHearsay(bytes: Uint8Array): { readonly message: ReceivedMessage; readonly isNews: boolean }
  /** The highest sequence number seen of a device; 0 when none was. */
  sequenceSeen(device: Did): number
}

/** What a receiver is made of. */
export interface ReceiverInit {
  /** The room, as {@link parseRoomName} gives it. */
  readonly room: string
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly isDenied?: (did: Did) => boolean
  /** Whether a person has revoked a device of theirs; asked for every message that shows a certificate. */
  readonly isRevoked?: (person: Did, device: Did) => boolean
}

/** The receiver of one room. */
export function createReceiver(init: ReceiverInit): Receiver {
  const { clock } = init
  const replays = createReplayGuard()
  const texts = createRateLimit({ burst: TEXT_BURST, perSecond: TEXTS_PER_SECOND, namesMax: RATED_MAX })
  const presences = createRateLimit({
    burst: PRESENCE_BURST,
    perSecond: PRESENCES_PER_SECOND,
    namesMax: RATED_MAX
  })
  const sources = createRateLimit({ burst: SOURCE_BURST, perSecond: SOURCE_PER_SECOND, namesMax: RATED_MAX })
  const personOf = createPersonCache()
  const verify = createMessageVerifier(init, personOf, CLOCK_DROP_MS)
  const verifyOld = createMessageVerifier(init, personOf, HISTORY_AGE_MS + CLOCK_DROP_MS)
  const admit = (message: ReceivedMessage): void => {
    // Before the rate: an old message played again must not use up what its author may send.
    replays.admit(message, clock.nowMs())
    const rate = message.kind === 'text' ? texts : presences
    if (!rate.take(message.author, clock.monotonicMs())) throw tooMany('this author')
  }
  /** Whether the message was not used before; it is now. */
  const isNew = (message: ReceivedMessage): boolean => {
    try {
      admit(message)
      return true
    } catch (error) {
      if (errorCode(error) === 'ERR_MESSAGE_REPLAYED') return false
      throw error
    }
  }
  const limitSource = (from: string): void => {
    if (!sources.take(from, clock.monotonicMs())) throw tooMany('this peer')
  }
  return {
    verify,
    verifyPast: (bytes) => asKind(verifyOld(bytes), 'text'),
    admit,
    take: (bytes, from) => {
      limitSource(from)
      const message = verify(bytes)
      admit(message)
      return message
    },
    takeDirect: (bytes, from) => {
      limitSource(from)
      const message = asKind(verify(bytes), 'presence')
      if (peerIdFromDid(message.device) !== from) {
        throw new RoomError('ERR_MESSAGE_MALFORMED', 'expected the presence of the peer that presents it')
      }
      isNew(message)
      return message
    },
    takeHearsay: (bytes) => {
      const message = asKind(verify(bytes), 'presence')
      const isFresh = Math.abs(message.sentAtMs - clock.nowMs()) <= PRESENCE_EXPIRY_MS
      return { message, isNews: isFresh && isNew(message) }
    },
    sequenceSeen: (device) => replays.highest(device)
  }
}

function createMessageVerifier(
  init: ReceiverInit,
  personOf: PersonOfDevice,
  pastMs: number
): (bytes: Uint8Array) => ReceivedMessage {
  const { room, clock, isDenied = () => false, isRevoked = () => false } = init
  return (bytes) => {
    const message = openMessage(bytes, { room, personOfDevice: personOf })
    const { author, device } = message
    if (isDenied(author) || isDenied(device)) {
      throw new RoomError('ERR_MESSAGE_DENIED', 'expected an author who is not on the deny list')
    }
    if (author !== device && isRevoked(author, device)) {
      throw new RoomError('ERR_MESSAGE_REVOKED', 'expected a device that its person has not revoked')
    }
    return { ...message, clockOffMs: readClock(message.sentAtMs - clock.nowMs(), pastMs) }
  }
}

function asKind(message: ReceivedMessage, kind: MessageKind): ReceivedMessage {
  if (message.kind === kind) return message
  throw new RoomError('ERR_MESSAGE_MALFORMED', `expected a ${kind}, got a ${message.kind}`)
}

function tooMany(whom: string): RoomError {
  return new RoomError('ERR_MESSAGE_RATE', `expected fewer messages from ${whom}`)
}

function readClock(offMs: number, pastMs: number): number | undefined {
  if (offMs > CLOCK_DROP_MS || offMs < -pastMs) {
    throw new RoomError('ERR_MESSAGE_TIME', `expected a time near ours, got one ${offMs} ms away`)
  }
  // Old is what the past is.
  if (pastMs > CLOCK_DROP_MS && offMs < 0) return undefined
  return Math.abs(offMs) > CLOCK_OFF_MS ? offMs : undefined
}

/** A device shows the same certificate with every message; it is verified once while it stays the same. */
function createPersonCache(): PersonOfDevice {
  const known = new Map<Did, { readonly certificate: Uint8Array; readonly person: Did }>()
  return (certificate, device) => {
    const cached = known.get(device)
    if (cached !== undefined && isSame(cached.certificate, certificate)) return cached.person
    const person = personOfDevice(certificate, device)
    if (known.size >= RATED_MAX) known.clear()
    known.set(device, { certificate: Uint8Array.from(certificate), person })
    return person
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
