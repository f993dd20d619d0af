import { hash } from 'node:crypto'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { RoomError } from '../errors.ts'
import { FRAME_BYTES_MAX, HELD_MAX, HELD_MS, HELD_OF_DEVICE_MAX } from './constants.ts'
import type { Vault } from './vault.ts'

/** A frame that came before what it builds on. */
export interface HeldFrame {
  readonly group: string
  readonly from: Did
  readonly bytes: Uint8Array
  readonly sinceMs: number
}

/** Frames that wait; stored, so that whoever sent them need not send them again. */
export interface Held {
  /** @throws RoomError `ERR_PRIVATE_FULL` when too many wait */
  add(frame: HeldFrame): Promise<void>
  /** The frames of a group, oldest first; they wait no longer. */
  takeOf(group: string, nowMs: number): Promise<readonly Uint8Array[]>
}

/** Opens what waits in the vault. */
export async function openHeld(vault: Vault): Promise<Held> {
  const frames = new Map<string, HeldFrame>()
  for await (const [key, value] of vault.entries('h/')) {
    const frame = decodeCanonical(value, { bytesMax: 2 * FRAME_BYTES_MAX }) as Omit<HeldFrame, 'from'> & {
      readonly from: string
    }
    frames.set(key, { ...frame, from: parseDid(frame.from) })
  }
  const remove = async (keys: readonly string[]): Promise<void> => {
    await vault.write(keys.map((key) => vault.change(key, undefined)))
    for (const key of keys) frames.delete(key)
  }
  const keysOf = (isWanted: (frame: HeldFrame) => boolean): readonly string[] =>
    [...frames].filter(([, frame]) => isWanted(frame)).map(([key]) => key)
  return {
    add: async (frame) => {
      const key = `h/${hash('sha256', frame.bytes, 'hex')}`
      if (frames.has(key)) return
      await remove(keysOf(({ sinceMs }) => frame.sinceMs - sinceMs >= HELD_MS))
      const ofDevice = keysOf(({ from }) => from === frame.from)
      if (frames.size >= HELD_MAX || ofDevice.length >= HELD_OF_DEVICE_MAX)
        throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${HELD_MAX} frames that wait`)
      await vault.write([vault.change(key, encodeCanonical({ ...frame }))])
      frames.set(key, frame)
    },
    takeOf: async (group, nowMs) => {
      const keys = keysOf((frame) => frame.group === group)
      const waiting = keys.flatMap((key) => frames.get(key) ?? [])
      await remove(keys)
      return waiting
        .filter(({ sinceMs }) => nowMs - sinceMs < HELD_MS)
        .sort((one, other) => one.sinceMs - other.sinceMs)
        .map(({ bytes }) => bytes)
    }
  }
}
