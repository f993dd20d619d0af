import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'
import { decodeCanonical, encodeCanonical } from '#did'
import { SLOTS, SWEEP_CYCLE_MS } from './constants.ts'

/** What one pass over the key space came to, until now or in all. */
export interface SweepPass {
  /** How many contents a peer took the announcement of. */
  readonly announced: number
  /** How many contents nobody took the announcement of. */
  readonly failed: number
  /** How many records were sent and taken. */
  readonly records: number
  readonly lookups: number
  /** How many different sets of neighbours the contents were announced to. */
  readonly regions: number
}

/** How far announcing again has come; what is kept over restarts. */
export interface SweepState {
  /** The time of the first slot of this cycle; the others follow evenly. Milliseconds since the epoch. */
  readonly cycleStartedAtMs: number
  /** The next slot to announce. */
  readonly slot: number
  /** When something was last announced, 0 for never. */
  readonly lastAtMs: number
  /** What was announced before then has addresses where we are no longer; 0 when nothing has. */
  readonly movedAtMs: number
  readonly current: SweepPass
  readonly previous: SweepPass | undefined
}

/** Nothing done yet. */
export const NO_PASS: SweepPass = { announced: 0, failed: 0, records: 0, lookups: 0, regions: 0 }

/** When the next slot is due. */
export function dueAtMs({ cycleStartedAtMs, slot }: SweepState): number {
  return cycleStartedAtMs + (slot / SLOTS) * SWEEP_CYCLE_MS
}

/** The state after its slot was announced. */
export function afterSlot(state: SweepState, nowMs: number): SweepState {
  const slot = state.slot + 1
  if (slot < SLOTS) return { ...state, slot }
  // who was away for long does not do cycles again that were missed
  const cycleStartedAtMs = Math.max(state.cycleStartedAtMs + SWEEP_CYCLE_MS, nowMs - SWEEP_CYCLE_MS)
  return { ...state, cycleStartedAtMs, slot: 0, movedAtMs: 0, current: NO_PASS, previous: state.current }
}

/** The state of a node that has to announce at once everything that it announced before `movedAtMs`. */
export function everythingDue(state: SweepState, movedAtMs: number, nowMs: number): SweepState {
  return { ...state, cycleStartedAtMs: nowMs - SWEEP_CYCLE_MS, slot: 0, movedAtMs, current: NO_PASS }
}

/** Adds to what was done. */
export function addPass(a: SweepPass, b: SweepPass): SweepPass {
  return {
    announced: a.announced + b.announced,
    failed: a.failed + b.failed,
    records: a.records + b.records,
    lookups: a.lookups + b.lookups,
    regions: a.regions + b.regions
  }
}

/** Where the state is kept. */
export interface SweepStateFile {
  /** What was kept, or that of a node that has never announced anything. */
  read(nowMs: number): Promise<SweepState>
  write(state: SweepState): Promise<void>
}

/** How many bytes a state has at most. */
const STATE_BYTES_MAX = 512

/** A state below the prefix of a DHT. */
export function createSweepStateFile(
  datastore: Pick<Datastore, 'get' | 'put' | 'has'>,
  prefix: string
): SweepStateFile {
  const key = new Key(`${prefix}/sweep`)
  return {
    read: async (nowMs) => {
      const held = (await datastore.has(key)) ? decode(await datastore.get(key)) : undefined
      // a clock that was set back must not put the next announcement off for years
      if (held !== undefined && held.cycleStartedAtMs <= nowMs) return held
      return {
        cycleStartedAtMs: nowMs,
        slot: 0,
        lastAtMs: 0,
        movedAtMs: 0,
        current: NO_PASS,
        previous: undefined
      }
    },
    write: async ({ cycleStartedAtMs, slot, lastAtMs, movedAtMs, current, previous }) => {
      const times = [cycleStartedAtMs, lastAtMs, movedAtMs].map(Math.round)
      const passes = [passOf(current), previous === undefined ? null : passOf(previous)]
      await datastore.put(key, encodeCanonical([slot, ...times, ...passes]))
    }
  }
}

function passOf({ announced, failed, records, lookups, regions }: SweepPass): number[] {
  return [announced, failed, records, lookups, regions]
}

/** What cannot be read is as if it had never been: everything is announced once more. */
function decode(bytes: Uint8Array): SweepState | undefined {
  try {
    const value = decodeCanonical(bytes, { bytesMax: STATE_BYTES_MAX })
    if (!Array.isArray(value)) return undefined
    const [slot, cycleStartedAtMs, lastAtMs, movedAtMs, first, second] = value as readonly unknown[]
    const [current, previous] = [decodePass(first), decodePass(second)]
    if (!isCount(slot) || slot >= SLOTS || current === undefined) return undefined
    if (!isCount(cycleStartedAtMs) || !isCount(lastAtMs) || !isCount(movedAtMs)) return undefined
    return { cycleStartedAtMs, slot, lastAtMs, movedAtMs, current, previous }
  } catch {
    return undefined
  }
}

function decodePass(value: unknown): SweepPass | undefined {
  if (!Array.isArray(value) || value.length !== 5 || !value.every(isCount)) return undefined
  const [announced = 0, failed = 0, records = 0, lookups = 0, regions = 0] = value
  return { announced, failed, records, lookups, regions }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
