import { hash } from 'node:crypto'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { RoomError } from '../errors.ts'
import { FRAME_BYTES_MAX, HELD_MAX, HELD_MS, HELD_OF_DEVICE_MAX, HELD_OF_STRANGERS_MAX } from './constants.ts'
import type { Vault } from './vault.ts'

/** A frame that came before what it builds on. */
export interface HeldFrame {
  readonly group: string
  readonly from: Did
  readonly bytes: Uint8Array
  readonly sinceMs: number
  /** Whether a member of a conversation of this device sent it, as far as is known now. */
  readonly isOfMember: boolean
}

/** Frames that wait; stored, so that whoever sent them need not send them again. */
export interface Held {
  /** Keeps a frame; one that waits already waits on from when it came. @throws RoomError `ERR_PRIVATE_FULL` when too many wait */
  add(frame: HeldFrame): Promise<void>
  /** The frames of a group, oldest first; they go on waiting. */
  of(group: string, nowMs: number): readonly Pick<HeldFrame, 'bytes' | 'sinceMs'>[]
  /** A frame waits no longer. */
  remove(bytes: Uint8Array): Promise<void>
}

/** Opens what waits in the vault. */
export async function openHeld(vault: Vault): Promise<Held> {
  const frames = new Map<string, HeldFrame>()
  for await (const [key, value] of vault.entries('h/')) {
    const frame = decodeCanonical(value, { bytesMax: 2 * FRAME_BYTES_MAX }) as Partial<HeldFrame> &
      Omit<HeldFrame, 'from' | 'isOfMember'> & { readonly from: string }
    // Older records do not say whose they are.
    frames.set(key, { ...frame, from: parseDid(frame.from), isOfMember: frame.isOfMember === true })
  }
  const remove = async (keys: readonly string[]): Promise<void> => {
    await vault.write(keys.map((key) => vault.change(key, undefined)))
    for (const key of keys) frames.delete(key)
  }
  const keysOf = (isWanted: (frame: HeldFrame) => boolean): readonly string[] =>
    [...frames].filter(([, frame]) => isWanted(frame)).map(([key]) => key)
  return {
    add: async (frame) => {
      const key = keyOf(frame.bytes)
      if (frames.has(key)) return
      await remove(keysOf(({ sinceMs }) => frame.sinceMs - sinceMs >= HELD_MS))
      const alike = keysOf(({ isOfMember }) => isOfMember === frame.isOfMember)
      const ofDevice = keysOf(({ from }) => from === frame.from)
      const framesMax = frame.isOfMember ? HELD_MAX : HELD_OF_STRANGERS_MAX
      if (alike.length >= framesMax || ofDevice.length >= HELD_OF_DEVICE_MAX)
        throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${framesMax} frames that wait`)
      await vault.write([vault.change(key, encodeCanonical({ ...frame }))])
      frames.set(key, frame)
    },
    of: (group, nowMs) =>
      [...frames.values()]
        .filter((frame) => frame.group === group && nowMs - frame.sinceMs < HELD_MS)
        .sort((one, other) => one.sinceMs - other.sinceMs),
    remove: async (bytes) => await remove([keyOf(bytes)])
  }
}

function keyOf(bytes: Uint8Array): string {
  return `h/${hash('sha256', bytes, 'hex')}`
}
