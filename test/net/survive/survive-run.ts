import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '#contracts'
import type { ChaosEvent } from './chaos.ts'
import type { Fleet, Member } from './fleet.ts'

/** Something that a fleet promised to keep; its bytes follow from the seed and its number. */
export interface KeptObject {
  readonly number: number
  readonly cid: string
  readonly bytes: number
  /** The device that added it. */
  readonly owner: string
}

/** What was promised so far. Plain data: it is kept between slices of a long run. */
export interface Ledger {
  readonly acknowledged: KeptObject[]
  /** The number of the next object; those that were never acknowledged have had theirs. */
  next: number
}

/** How a fleet keeps what is added. */
export interface Keeping {
  /** Prepares a member that has started. */
  join(member: Member): Promise<void>
  /** Has others keep what a member added; resolves when they said that they do. */
  keep(wish: KeepWish): Promise<void>
  /** Resolves when all is kept as it should be, although some are down. Rejects with the reason when time is up. */
  settle(fleet: Fleet, ledger: Ledger): Promise<string>
}

/** Something that a member added, and that others are to keep. */
export interface KeepWish {
  readonly fleet: Fleet
  readonly member: Member
  readonly object: KeptObject
  readonly signal: AbortSignal
}

/** A run. */
export interface SurviveRun {
  readonly seed: number
  readonly fleet: Fleet
  readonly keeping: Keeping
  readonly ledger: Ledger
  readonly random: Random
  /** For files under way. */
  readonly folder: string
  /** What happened, for whoever has to find out why it failed. */
  readonly journal: string[]
}

/** A stretch of a run: the events of a plan between two moments, and objects added meanwhile. */
export interface Stretch {
  readonly events: readonly ChaosEvent[]
  readonly fromMs: number
  readonly toMs: number
  readonly addEveryMs: number
  readonly bytesMax: number
}

/** Objects that may wait for their keepers at a time. */
const WAITING_MAX = 8
/** Objects that a stranger fetches at a time. */
const FETCHES = 4
const BYTES_MIN = 512
/** How long an object may wait for its keepers. */
const KEEP_MS = 60_000
/** How long after the end of a stretch, once anything was acknowledged. */
const GRACE_MS = 5_000

/** The bytes of an object. */
export function bytesOf(seed: number, { number, bytes }: Pick<KeptObject, 'number' | 'bytes'>): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(`${seed} ${number}`).digest()
}

/** Lets happen what happens, and adds objects all the while. */
export async function runStretch(run: SurviveRun, stretch: Stretch): Promise<void> {
  const startedMs = performance.now() - stretch.fromMs
  const nowMs = (): number => performance.now() - startedMs
  const over = new AbortController()
  const late = new AbortController()
  const adding = addObjects(run, { ...stretch, nowMs, over: over.signal, late: late.signal })
  try {
    for (const { atMs, member, what } of stretch.events) {
      await sleep(Math.max(0, atMs - nowMs()))
      run.journal.push(`${stamp(nowMs())} ${what} ${member}`)
      if (what === 'revive') await run.fleet.revive(member)
      else await run.fleet.strike(member, what)
    }
    await sleep(Math.max(0, stretch.toMs - nowMs()))
  } finally {
    over.abort()
    // Those that are still waiting for a keeper who is down have had their time.
    const graceMs = run.ledger.acknowledged.length > 0 ? GRACE_MS : KEEP_MS
    const ending = setTimeout(() => late.abort(), graceMs)
    await adding.finally(() => clearTimeout(ending))
  }
}

async function addObjects(
  run: SurviveRun,
  o: Stretch & { nowMs: () => number; over: AbortSignal; late: AbortSignal }
): Promise<void> {
  const waiting = new Set<Promise<void>>()
  while (!o.over.aborted) {
    const up = run.fleet.members.filter(({ isUp }) => isUp)
    const member = up[Math.floor(run.random.unit() * up.length)]
    if (member !== undefined && waiting.size < WAITING_MAX) {
      const number = run.ledger.next++
      const bytes = Math.round(BYTES_MIN * (o.bytesMax / BYTES_MIN) ** run.random.unit())
      const signal = AbortSignal.any([o.late, AbortSignal.timeout(KEEP_MS)])
      const adding = addObject(run, { number, bytes, member, signal }).then(
        () => run.journal.push(`${stamp(o.nowMs())} acknowledged ${number}`),
        // whoever added it, or was to keep it, may have died: then nobody was told that it is kept
        (error: unknown) =>
          run.journal.push(`${stamp(o.nowMs())} not acknowledged ${number}: ${String(error)}`)
      )
      const settled = adding.then(() => void waiting.delete(settled))
      waiting.add(settled)
    }
    await sleep(o.addEveryMs, undefined, { signal: o.over }).catch(() => undefined)
  }
  await Promise.all(waiting)
}

async function addObject(
  { seed, fleet, keeping, ledger, folder }: SurviveRun,
  { member, signal, ...what }: Pick<KeptObject, 'number' | 'bytes'> & Pick<KeepWish, 'member' | 'signal'>
): Promise<void> {
  const file = join(folder, `${what.number}.bin`)
  await writeFile(file, bytesOf(seed, what))
  try {
    const { cid } = await member.call('content.add', { path: file }, signal)
    const object = { ...what, cid, owner: member.did }
    await keeping.keep({ fleet, member, object, signal })
    ledger.acknowledged.push(object)
  } finally {
    await rm(file, { force: true })
  }
}

/** Has a node that never had any of it fetch all that was acknowledged. */
export async function proveWhole({ seed, fleet, ledger, folder }: SurviveRun): Promise<string> {
  const startedMs = performance.now()
  await using stranger = await fleet.startStranger()
  const left = [...ledger.acknowledged]
  const fetch = async (): Promise<void> => {
    for (let object = left.pop(); object !== undefined; object = left.pop()) {
      const output = join(folder, `${object.number}.copy`)
      const { cid, number } = object
      await stranger.call('content.get', { target: cid, output, force: true }).catch((cause: unknown) => {
        throw new Error(`object ${number} is not to be had`, { cause })
      })
      const bytes = await readFile(output)
      assert.ok(bytes.equals(bytesOf(seed, object)), `object ${number} came with other bytes`)
      await rm(output)
    }
  }
  await Promise.all(Array.from({ length: FETCHES }, fetch))
  return `all fetched by a stranger in ${stamp(performance.now() - startedMs).trim()}`
}

function stamp(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(6)} s`
}
