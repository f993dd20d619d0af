import type { Labels } from './labels.ts'
import type { VerifiedMessage } from './message.ts'
import type { TextEvent } from './room-events.ts'

/** A verified text, and what is known of it beside what its author signed. */
export interface ToldText {
  readonly message: VerifiedMessage & { readonly clockOffMs?: number | undefined }
  readonly isSelf: boolean
  /** By our clock, milliseconds since the Unix epoch. */
  readonly receivedAtMs: number
  readonly index: number
}

/** The event that tells of a text. */
export function textEvent({ message, isSelf, receivedAtMs, index }: ToldText, labels: Labels): TextEvent {
  const { author, device, nick, sequence, sentAtMs, clockOffMs, text = '' } = message
  return {
    type: 'message',
    ...{ id: `${device}:${sequence}`, index },
    ...{ author, device, nick, label: labels.label(author, nick), isSelf, text, sentAtMs, receivedAtMs },
    ...(clockOffMs === undefined ? {} : { clockOffMs })
  }
}
