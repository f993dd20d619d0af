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
  /** The changes that remove all texts of a conversation. */
  forget(group: string): readonly RoomStoreChange[]
  read(group: string): Promise<readonly PrivateText[]>
  /** What others said after what was {@link Texts.seen}. */
  unseen(isWanted: (group: string) => boolean): Promise<readonly (PrivateText & { readonly group: string })[]>
  /** A text, and what came before it, was seen. */
  seen(group: string, id: string): Promise<void>
}

const NUMBER_DIGITS = 16

interface Span {
  readonly first: number
  readonly next: number
  /** The first that was not seen yet. */
  readonly seen: number
}

/** Opens the texts in the vault. */
export async function openTexts(vault: Vault): Promise<Texts> {
  const spans = await openSpans(vault)
  const spanOf = (group: string): Span => spans.get(group) ?? { first: 0, next: 0, seen: 0 }
  const keep = (event: Extract<PrivateEvent, { type: 'text' }>): readonly RoomStoreChange[] => {
    const { group, id, from, text, sentAtMs, isSelf } = event
    const { first, next, seen } = spanOf(group)
    const value = encodeCanonical({ id, person: from.person, device: from.device, text, sentAtMs, isSelf })
    const change = vault.change(keyOf(group, next), value)
    const isFull = next - first >= TEXTS_KEPT_MAX
    spans.set(group, { first: isFull ? first + 1 : first, next: next + 1, seen })
    return isFull ? [change, vault.change(keyOf(group, first), undefined)] : [change]
  }
  const read = async (group: string, from = 0): Promise<readonly PrivateText[]> => {
    const found: PrivateText[] = []
    for await (const [key, value] of vault.entries(`t/${group}/`)) {
      if (numberOf(key) < from) continue
      const row = decodeCanonical(value, { bytesMax: FRAME_BYTES_MAX }) as PrivateText
      found.push({ ...row, person: parseDid(row.person), device: parseDid(row.device) })
    }
    return found
  }
  const mark = async (group: string, seen: number): Promise<void> => {
    await vault.write([vault.change(`m/${group}`, encodeCanonical(seen))])
    spans.set(group, { ...spanOf(group), seen })
  }
  return {
    changes: (events) => events.flatMap((event) => (event.type === 'text' ? keep(event) : [])),
    forget: (group) => {
      const { first, next } = spanOf(group)
      spans.delete(group)
      const keys = Array.from({ length: next - first }, (_, index) => keyOf(group, first + index))
      return [...keys, `m/${group}`].map((key) => vault.change(key, undefined))
    },
    read: async (group) => await read(group),
    unseen: async (isWanted) => {
      const found: (PrivateText & { readonly group: string })[] = []
      for (const [group, span] of [...spans]) {
        if (span.seen >= span.next || !isWanted(group)) continue
        const texts = (await read(group, span.seen)).filter(({ isSelf }) => !isSelf)
        found.push(...texts.map((text) => ({ ...text, group })))
        if (texts.length === 0) await mark(group, span.next)
      }
      return found
    },
    seen: async (group, id) => {
      for await (const [key, value] of vault.entries(`t/${group}/`)) {
        if (numberOf(key) < spanOf(group).seen) continue
        const row = decodeCanonical(value, { bytesMax: FRAME_BYTES_MAX }) as PrivateText
        if (row.id === id) await mark(group, numberOf(key) + 1)
      }
    }
  }
}

async function openSpans(vault: Vault): Promise<Map<string, Span>> {
  const spans = new Map<string, Span>()
  for await (const [key] of vault.entries('t/')) {
    const [, group = ''] = key.split('/')
    const number = numberOf(key)
    spans.set(group, { first: spans.get(group)?.first ?? number, next: number + 1, seen: 0 })
  }
  for await (const [key, value] of vault.entries('m/')) {
    const group = key.slice('m/'.length)
    const span = spans.get(group)
    const seen = Number(decodeCanonical(value, { bytesMax: 16 }))
    if (span !== undefined) spans.set(group, { ...span, seen })
  }
  return spans
}

function keyOf(group: string, number: number): string {
  return `t/${group}/${String(number).padStart(NUMBER_DIGITS, '0')}`
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1))
}
