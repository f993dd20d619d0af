import type { Did } from '#did'
import { CLOCK_DROP_MS, REPLAY_DEVICES_MAX, REPLAY_WINDOW } from './constants.ts'
import { RoomError } from './errors.ts'

interface DeviceWindow {
  highest: number
  /** Bit n is set when `highest - n` was seen. */
  seen: bigint
  /** Newest time in a message of that device, by its own clock. */
  newestMs: number
}

/** What the guard looks at. */
export interface Sequenced {
  readonly device: Did
  readonly sequence: number
  readonly sentAtMs: number
}

/** Lets each message of a device through once. */
export interface ReplayGuard {
  /**
   * Takes note of a message.
   *
   * @throws RoomError `ERR_MESSAGE_REPLAYED` when it was seen before or is too far back to tell,
   * `ERR_ROOM_CROWDED` when no further device can be remembered
   */
  admit(message: Sequenced, nowMs: number): void
  /** The highest sequence number seen of a device; 0 when none was. */
  highest(device: Did): number
  /** Devices remembered. */
  readonly size: number
}

const WINDOW = BigInt(REPLAY_WINDOW)
const WINDOW_MASK = (1n << WINDOW) - 1n

/**
 * A guard with a window of {@link REPLAY_WINDOW} sequence numbers for each of up to {@link REPLAY_DEVICES_MAX}
 * devices. A device is forgotten only when its newest message is so old that the time check refuses every replay of
 * it; so however many keys somebody makes up, nothing is let through twice.
 *
 * @see RFC 4303 §3.4.3 for the sliding window
 */
export function createReplayGuard(): ReplayGuard {
  const windows = new Map<Did, DeviceWindow>()
  return {
    get size() {
      return windows.size
    },
    highest: (device) => windows.get(device)?.highest ?? 0,
    admit: (message, nowMs) => {
      const window = windows.get(message.device)
      if (window === undefined) {
        if (windows.size >= REPLAY_DEVICES_MAX) forget(windows, nowMs)
        windows.set(message.device, { highest: message.sequence, seen: 1n, newestMs: message.sentAtMs })
        return
      }
      mark(window, message.sequence)
      window.newestMs = Math.max(window.newestMs, message.sentAtMs)
    }
  }
}

function mark(window: DeviceWindow, sequence: number): void {
  if (sequence > window.highest) {
    const step = BigInt(sequence - window.highest)
    window.seen = step >= WINDOW ? 1n : ((window.seen << step) | 1n) & WINDOW_MASK
    window.highest = sequence
    return
  }
  const back = BigInt(window.highest - sequence)
  const bit = 1n << (back < WINDOW ? back : WINDOW)
  if (back >= WINDOW || (window.seen & bit) !== 0n) {
    throw new RoomError('ERR_MESSAGE_REPLAYED', `expected a new sequence number, got ${sequence} again`)
  }
  window.seen |= bit
}

function forget(windows: Map<Did, DeviceWindow>, nowMs: number): void {
  for (const [device, window] of windows) {
    if (window.newestMs < nowMs - CLOCK_DROP_MS) windows.delete(device)
  }
  if (windows.size < REPLAY_DEVICES_MAX) return
  throw new RoomError('ERR_ROOM_CROWDED', `expected at most ${REPLAY_DEVICES_MAX} devices within two days`)
}
