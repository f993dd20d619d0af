import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import type { RoomStoreChange } from '../store.ts'
import { FRAME_BYTES_MAX, TEXTS_KEPT_MAX } from './constants.ts'
import type { PrivateEvent } from './conversation.ts'
import type { Vault } from './vault.ts'

/** A text that was said in a conversation, as it is kept. */
export interface PrivateText {
  /** The same on every device. */
  readonly id: string
  readonly person: Did
  readonly device: Did
  readonly text: string
  /** By the author's clock. */
  readonly sentAtMs: number
  readonly isSelf: boolean
}

/** What was said, bounded for each conversation. */
export interface Texts {
  /** The changes that keep the texts among `events`: written with what was read, so that each is there once. */
  changes(events: readonly PrivateEvent[]): readonly RoomStoreChange[]
  read(group: string): Promise<readonly PrivateText[]>
}

const NUMBER_DIGITS = 16

/** Opens the texts in the vault. */
export async function openTexts(vault: Vault): Promise<Texts> {
  const spans = new Map<string, { first: number; next: number }>()
  for await (const [key] of vault.entries('t/')) {
    const [, group = '', number] = key.split('/')
    const span = spans.get(group) ?? { first: Number(number), next: 0 }
    spans.set(group, { ...span, next: Number(number) + 1 })
  }
  const keyOf = (group: string, number: number): string =>
    `t/${group}/${String(number).padStart(NUMBER_DIGITS, '0')}`
  const keep = (event: Extract<PrivateEvent, { type: 'text' }>): readonly RoomStoreChange[] => {
    const { group, id, from, text, sentAtMs, isSelf } = event
    const span = spans.get(group) ?? { first: 0, next: 0 }
    spans.set(group, span)
    const value = encodeCanonical({ id, person: from.person, device: from.device, text, sentAtMs, isSelf })
    const change = vault.change(keyOf(group, span.next++), value)
    if (span.next - span.first <= TEXTS_KEPT_MAX) return [change]
    return [change, vault.change(keyOf(group, span.first++), undefined)]
  }
  return {
    changes: (events) => events.flatMap((event) => (event.type === 'text' ? keep(event) : [])),
    read: async (group) => {
      const found: PrivateText[] = []
      for await (const [, value] of vault.entries(`t/${group}/`)) {
        const row = decodeCanonical(value, { bytesMax: FRAME_BYTES_MAX }) as PrivateText
        found.push({ ...row, person: parseDid(row.person), device: parseDid(row.device) })
      }
      return found
    }
  }
}
