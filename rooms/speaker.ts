import type { Clock } from '#contracts'
import { personOfDevice, type Did, type Signer } from '#did'
import { CLOCK_DROP_MS, PRESENCE_INTERVAL_MS, SEQUENCES_PER_MS } from './constants.ts'
import { sealMessage, type MessageFields, type MessageKind, type VerifiedMessage } from './message.ts'
import { parseNick } from './text.ts'

/** Signs what this device says in one room. */
export interface Speaker {
  readonly room: string
  readonly author: Did
  readonly device: Did
  nick: string
  /**
   * A presence of the last half minute to hand to another member. It is never one that {@link Speaker.say} gave: who gets
   * the same one from the topic as well would take that for a replay, and not forward it.
   */
  showPresence(): Uint8Array
  /** Signs a presence or farewell. */
  say(kind: Exclude<MessageKind, 'text'>): Uint8Array
  /**
   * Signs a text; `previous` is the sequence number of our text before it, 0 when there is none.
   *
   * @throws RoomError `ERR_TEXT_TOO_LONG` or `ERR_TEXT_INVALID`
   */
  sayText(text: string, previous: number): { readonly bytes: Uint8Array; readonly message: VerifiedMessage }
  /**
   * Others saw this sequence number of our device. When we did not use it yet, we did before a restart with the clock
   * ahead, and they would take what we say for a replay: the numbers go on from there. One beyond what any clock
   * that others listened to can have given is a lie.
   */
  continueAfter(sequence: number): void
  /** Our own history has this sequence number of our device: whatever the clock was then, the numbers go on from there. */
  continueOwn(sequence: number): void
}

/** Who speaks where. */
export interface SpeakerInit {
  readonly signer: Signer
  /** Binds the device to its person; without one the device speaks for itself. */
  readonly certificate?: Uint8Array
  readonly room: string
  readonly nick: string
  readonly clock: Pick<Clock, 'nowMs'>
}

/**
 * A speaker whose sequence numbers start at the time of day, so that they grow over restarts with nothing stored.
 *
 * @throws DidError when the certificate is not one for this device
 * @throws RoomError `ERR_NICK_INVALID`
 */
export function createSpeaker({ signer, certificate, room, nick, clock }: SpeakerInit): Speaker {
  const author = certificate === undefined ? signer.did : personOfDevice(certificate, signer.did)
  // A clock may give fractions, which have no canonical form.
  const nowMs = (): number => Math.floor(clock.nowMs())
  let sequence = nowMs() * SEQUENCES_PER_MS
  let currentNick = parseNick(nick)
  const fields = (kind: MessageKind): MessageFields => {
    return { room, author, sequence: ++sequence, sentAtMs: nowMs(), nick: currentNick, kind }
  }
  const seal = (kind: MessageKind): Uint8Array => sealMessage(signer, fields(kind), certificate)
  let shown: { readonly bytes: Uint8Array; readonly nick: string; readonly atMs: number } | undefined
  return {
    room,
    author,
    device: signer.did,
    get nick() {
      return currentNick
    },
    set nick(value: string) {
      currentNick = parseNick(value)
    },
    showPresence: () => {
      const isFresh = shown?.nick === currentNick && Math.abs(nowMs() - shown.atMs) < PRESENCE_INTERVAL_MS
      if (!isFresh || shown === undefined) {
        shown = { bytes: seal('presence'), nick: currentNick, atMs: nowMs() }
      }
      return shown.bytes
    },
    say: (kind) => seal(kind),
    sayText: (text, previous) => {
      const said = { ...fields('text'), text, ...(previous > 0 ? { previous } : {}) }
      return { bytes: sealMessage(signer, said, certificate), message: { ...said, device: signer.did } }
    },
    continueOwn: (said) => {
      sequence = Math.max(sequence, said)
    },
    continueAfter: (seen) => {
      if (seen <= (clock.nowMs() + 2 * CLOCK_DROP_MS) * SEQUENCES_PER_MS) sequence = Math.max(sequence, seen)
    }
  }
}
