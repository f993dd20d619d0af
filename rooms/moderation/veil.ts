import type { Did } from '#did'
import type { RoomEvent, TextEvent } from '../room-events.ts'
import { MODERATED_TEXTS_MAX } from './constants.ts'
import type { ModerationList } from './list.ts'

/** What lists hide of a room. It hides and never drops: whoever shows it can still count and show it. */
export interface Veil {
  /** The same event; of a text that is hidden it says by whom. */
  mark<E extends RoomEvent>(event: E, nowMs: number): E
  /** Goes by these lists from now on; which of the texts marked last are hidden by that, and which are not any more. */
  draw(
    lists: readonly ModerationList[],
    nowMs: number
  ): { readonly hidden: readonly string[]; readonly shown: readonly string[] }
}

interface Rule {
  readonly by: Did
  readonly untilMs: number
}

type MarkedText = Pick<TextEvent, 'id' | 'author' | 'device' | 'isSelf'>

/** A veil that hides nothing yet. */
export function createVeil(): Veil {
  let rules = new Map<string, Rule>()
  const marked = new Map<string, { readonly text: MarkedText; isHidden: boolean }>()
  const hiddenBy = ({ id, author, device, isSelf }: MarkedText, nowMs: number): Did | undefined => {
    // One's own words are seen by oneself.
    if (isSelf) return undefined
    const rule = [id, author, device]
      .map((name) => rules.get(name))
      .find((one) => (one?.untilMs ?? 0) > nowMs)
    return rule?.by
  }
  return {
    mark: (event, nowMs) => {
      if (event.type !== 'message') return event
      const { id, author, device, isSelf } = event
      const text = { id, author, device, isSelf }
      const by = hiddenBy(text, nowMs)
      marked.delete(id)
      marked.set(id, { text, isHidden: by !== undefined })
      if (marked.size > MODERATED_TEXTS_MAX)
        for (const [oldest] of marked.entries().take(1)) marked.delete(oldest)
      return by === undefined ? event : { ...event, hiddenBy: by }
    },
    draw: (lists, nowMs) => {
      rules = rulesOf(lists)
      const hidden: string[] = []
      const shown: string[] = []
      for (const [id, entry] of marked) {
        const isHidden = hiddenBy(entry.text, nowMs) !== undefined
        if (isHidden === entry.isHidden) continue
        entry.isHidden = isHidden
        if (isHidden) hidden.push(id)
        else shown.push(id)
      }
      return { hidden, shown }
    }
  }
}

/** By did, and by the id of a text; of several rules the one that holds longest. */
function rulesOf(lists: readonly ModerationList[]): Map<string, Rule> {
  const rules = new Map<string, Rule>()
  const add = (name: string, rule: Rule): void => {
    if ((rules.get(name)?.untilMs ?? 0) < rule.untilMs) rules.set(name, rule)
  }
  for (const { author: by, expiresAtMs, muted, removed } of lists) {
    for (const [did, untilMs] of muted) {
      add(did, { by, untilMs: untilMs === 0 ? expiresAtMs : Math.min(untilMs, expiresAtMs) })
    }
    for (const [device, sequence] of removed) add(`${device}:${sequence}`, { by, untilMs: expiresAtMs })
  }
  return rules
}
