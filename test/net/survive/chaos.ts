import type { Random } from '#contracts'

/**
 * What befalls a member of a fleet: killed without a word, cut off from the network while it goes on running, or lost
 * together with its disk, in whose place a new one comes.
 */
export type Blow = 'kill' | 'cut' | 'lose'

/** Something that happens to a member. */
export interface ChaosEvent {
  readonly atMs: number
  readonly member: number
  readonly what: Blow | 'revive'
}

/** How much of it there is. */
export interface ChaosInit {
  readonly members: number
  readonly durationMs: number
  /** How long a member is up, and how long down, on average; both are exponential. */
  readonly upMs: number
  readonly downMs: number
  /** Members down at a time. */
  readonly downMax: number
  /** Which part of the blows are cuts. */
  readonly cutRatio: number
  /** The time from one loss of a disk to the next, at least; absent, none is lost. */
  readonly loseEveryMs?: number
}

/** The first member is a seed, whose disk is never lost: others know of it by its key. */
export const SEED_MEMBER = 0

/**
 * What happens, in order: the same for the same random numbers. Somebody is struck, however short it is: a plan that leaves
 * everybody alone would show nothing. Who is down at the end stays down.
 */
export function planChaos(random: Random, init: ChaosInit): ChaosEvent[] {
  for (;;) {
    const events = drawEvents(random, init)
    if (events.length > 0) return events
  }
}

function drawEvents(random: Random, o: ChaosInit): ChaosEvent[] {
  const events: ChaosEvent[] = []
  const after = (meanMs: number): number => -Math.log(1 - random.unit()) * meanMs
  const down = new Set<number>()
  const nextMs = Array.from({ length: o.members }, () => after(o.upMs))
  let lostAtMs = 0
  for (;;) {
    const atMs = Math.min(...nextMs)
    const member = nextMs.indexOf(atMs)
    if (atMs >= o.durationMs) return events
    const isDown = down.has(member)
    if (!isDown && down.size >= o.downMax) {
      nextMs[member] = atMs + after(o.downMs)
      continue
    }
    nextMs[member] = atMs + after(isDown ? o.upMs : o.downMs)
    if (isDown) {
      down.delete(member)
      events.push({ atMs, member, what: 'revive' })
      continue
    }
    down.add(member)
    const mayLose = o.loseEveryMs !== undefined && atMs - lostAtMs >= o.loseEveryMs && member !== SEED_MEMBER
    const what = mayLose ? 'lose' : random.unit() < o.cutRatio ? 'cut' : 'kill'
    if (what === 'lose') lostAtMs = atMs
    events.push({ atMs, member, what })
  }
}

/** What has become of a member. */
export interface Fate {
  /** The last blow, if it has not been revived since. */
  readonly blow: Blow | undefined
  /** How many disks it has lost. */
  readonly lives: number
}

/** What the events so far have made of each member. */
export function fatesAfter(events: readonly ChaosEvent[], members: number): Fate[] {
  const fates = Array.from({ length: members }, (): Fate => ({ blow: undefined, lives: 0 }))
  for (const { member, what } of events) {
    const lives = fates[member]?.lives ?? 0
    fates[member] = { blow: what === 'revive' ? undefined : what, lives: lives + Number(what === 'lose') }
  }
  return fates
}
