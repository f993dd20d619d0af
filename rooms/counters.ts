import { errorCode, type Clock } from '#contracts'
import { DROPPED_EVENT_INTERVAL_MS } from './constants.ts'
import { RoomError, type RoomDropCode } from './errors.ts'
import type { DroppedEvent } from './room-events.ts'
import type { TopicVerdict } from './transport.ts'

/** What a room counted since it was joined. */
export interface RoomCounters {
  /** Messages and exchanges that came in. */
  readonly received: number
  /** Those that passed every check. */
  readonly accepted: number
  /** Texts that at least one peer took. */
  readonly sent: number
  /** Texts for which nobody was there in time. */
  readonly unheard: number
  /** Events dropped because a consumer was too slow. */
  readonly eventsDropped: number
  /** Messages dropped, by reason. */
  readonly dropped: Readonly<Record<RoomDropCode, number>>
}

/** Counters that count. */
export type MutableCounters = { -readonly [K in Exclude<keyof RoomCounters, 'dropped'>]: RoomCounters[K] } & {
  readonly dropped: Record<RoomDropCode, number>
}

/** A relay is blamed only for what no honest one passes on: everything that can be told from the bytes alone. */
const VERDICTS: Readonly<Record<RoomDropCode, TopicVerdict>> = {
  ERR_MESSAGE_TOO_LARGE: 'reject',
  ERR_MESSAGE_MALFORMED: 'reject',
  ERR_MESSAGE_SIGNATURE: 'reject',
  ERR_MESSAGE_CERTIFICATE: 'reject',
  ERR_MESSAGE_ROOM: 'reject',
  ERR_MESSAGE_REPLAYED: 'ignore',
  ERR_MESSAGE_TIME: 'ignore',
  ERR_MESSAGE_RATE: 'ignore',
  ERR_MESSAGE_DENIED: 'ignore',
  // Whoever passed it on may not have heard of it yet.
  ERR_MESSAGE_REVOKED: 'ignore',
  ERR_ROOM_CROWDED: 'ignore'
}

const DROP_CODES = Object.keys(VERDICTS) as RoomDropCode[]

/** All counters at zero. */
export function createCounters(): MutableCounters {
  const dropped = Object.fromEntries(DROP_CODES.map((code) => [code, 0])) as Record<RoomDropCode, number>
  return { received: 0, accepted: 0, sent: 0, unheard: 0, eventsDropped: 0, dropped }
}

/** What a dropped message means to the one who passed it on. */
export function verdictOf(code: RoomDropCode): TopicVerdict {
  return VERDICTS[code]
}

/** The reason why a message was dropped; whatever else went wrong while reading it counts as malformed. */
export function dropCodeOf(error: unknown): RoomDropCode {
  const code = error instanceof RoomError ? errorCode(error) : undefined
  return DROP_CODES.find((known) => known === code) ?? 'ERR_MESSAGE_MALFORMED'
}

/**
 * Turns drops into events, no more than one for each reason within {@link DROPPED_EVENT_INTERVAL_MS}. Replays are only
 * counted: honest networks bring some messages twice, and there is nothing a person could do about the others.
 */
export function createDropReporter(
  clock: Pick<Clock, 'monotonicMs'>,
  emit: (event: DroppedEvent) => void
): (code: RoomDropCode) => void {
  const states = new Map<RoomDropCode, { count: number; notBeforeMs: number }>()
  return (code) => {
    if (code === 'ERR_MESSAGE_REPLAYED') return
    const state = states.get(code) ?? { count: 0, notBeforeMs: 0 }
    states.set(code, state)
    state.count++
    if (clock.monotonicMs() < state.notBeforeMs) return
    emit({ type: 'dropped', code, count: state.count })
    state.count = 0
    state.notBeforeMs = clock.monotonicMs() + DROPPED_EVENT_INTERVAL_MS
  }
}
