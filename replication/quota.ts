import type { Did } from '#did'
import { HELD_MAX, HELD_OF_PUBLISHER_MAX } from './constants.ts'
import type { Goal, Root } from './types.ts'

/** How much a device gives to others. */
export interface Quota {
  readonly spaceBytes: number
  /** Most of it for what one publisher publishes. */
  readonly publisherBytesMax: number
}

/** Something that is held, as a quota sees it. */
export interface QuotaItem {
  readonly root: Root
  readonly person: Did
  readonly bytes: number
  /** How many copies would be left without this one, less how many are wanted; below 0 it is missed. */
  readonly spare: number
  /** Somebody let theirs go because this one is here. */
  readonly isRelied: boolean
}

/** Whether something fits. */
export type Admission =
  | { readonly fits: true; /** What goes for it. */ readonly evict: readonly Root[] }
  /** What is in the way: all of the space, or the share of one publisher. */
  | { readonly fits: false; readonly limit: 'space' | 'publisher' }

/** Whether one root more of a person may be held, beside what is held and what waits to be fetched: it will be held. */
export function isPlaceLeft(kept: Iterable<{ readonly goal: Pick<Goal, 'person'> }>, person: Did): boolean {
  let [count, ofPerson] = [0, 0]
  for (const { goal } of kept) {
    count++
    if (goal.person === person) ofPerson++
  }
  return count < HELD_MAX && ofPerson < HELD_OF_PUBLISHER_MAX
}

/**
 * Whether `bytes` of a publisher fit, and what goes for them: only what others hold often enough without us, that with most
 * copies to spare first. What is wanted is never put out for something new.
 */
export function admit(
  wanted: { readonly person: Did; readonly bytes: number },
  held: readonly QuotaItem[],
  quota: Quota
): Admission {
  const { person, bytes } = wanted
  const evictable = held.filter(({ spare, isRelied }) => spare >= 0 && !isRelied).sort(leastWantedFirst)
  const evict: QuotaItem[] = []
  const left = (): QuotaItem[] => held.filter((item) => !evict.includes(item))
  const own = evictable.filter((item) => item.person === person)
  while (bytesOf(left(), person) + bytes > quota.publisherBytesMax) {
    const next = own.shift()
    if (next === undefined) return { fits: false, limit: 'publisher' }
    evict.push(next)
  }
  const others = evictable.filter((item) => !evict.includes(item))
  while (bytesOf(left()) + bytes > quota.spaceBytes) {
    const next = others.shift()
    if (next === undefined) return { fits: false, limit: 'space' }
    evict.push(next)
  }
  return { fits: true, evict: evict.map(({ root }) => root) }
}

/** What has to go when a quota has become smaller, the least wanted first. */
export function excess(held: readonly QuotaItem[], quota: Quota): Root[] {
  const order = [...held].sort(leastWantedFirst)
  const gone = new Set<QuotaItem>()
  const used = new Map<Did, number>()
  let total = bytesOf(held)
  for (const { person, bytes } of held) used.set(person, (used.get(person) ?? 0) + bytes)
  for (const item of order) {
    const ofPerson = used.get(item.person) ?? 0
    if (total <= quota.spaceBytes && ofPerson <= quota.publisherBytesMax) continue
    gone.add(item)
    total -= item.bytes
    used.set(item.person, ofPerson - item.bytes)
  }
  return [...gone].map(({ root }) => root)
}

/** Bytes of what is held, of one person where one is named. */
export function bytesOf(held: readonly QuotaItem[], person?: Did): number {
  return held.reduce(
    (sum, item) => sum + (person === undefined || item.person === person ? item.bytes : 0),
    0
  )
}

function leastWantedFirst(a: QuotaItem, b: QuotaItem): number {
  return b.spare - a.spare || b.bytes - a.bytes || (a.root < b.root ? -1 : 1)
}
