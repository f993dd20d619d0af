import type { Clock, Random } from '#contracts'
import { FORWARD_HOLD_MS_MAX, FORWARDS_HELD_BYTES_MAX } from '../constants.ts'

/** A message to forward. */
export interface Forward {
  readonly id: string
  /** As it goes over a stream, its length before it. */
  readonly frame: Uint8Array
  readonly to: Set<string>
}

/** What an outbox is made of. */
export interface OutboxComponents {
  readonly clock: Pick<Clock, 'after'>
  readonly random: Pick<Random, 'unit'>
  /** Whether a peer said that it does not want a message. */
  readonly isUnwanted: (peerId: string, id: string) => boolean
  /** Writes frames to a peer, or does nothing when there is no stream to it. */
  readonly send: (peerId: string, frames: Uint8Array) => void
}

/** Holds what is to be forwarded for some milliseconds. */
export interface Outbox extends Disposable {
  /** Takes a message to forward. */
  add(forward: Forward): void
  /** Notes that a peer has a message, for it has just sent it. */
  drop(peerId: string, id: string): void
}

/**
 * Forwards messages after a short while that differs from node to node and from time to time. In a mesh each message
 * comes from several sides at nearly the same moment: who waits a little hears from some of its neighbours that they have
 * it, and spares them, and itself, the copy. What is to go to one peer meanwhile goes in one write.
 */
export function createOutbox({ clock, random, isUnwanted, send }: OutboxComponents): Outbox {
  const held = new Map<string, Forward>()
  let heldBytes = 0
  let timer: Disposable | undefined
  const flush = (): void => {
    timer?.[Symbol.dispose]()
    timer = undefined
    const frames = new Map<string, Uint8Array[]>()
    for (const { id, frame, to } of held.values()) {
      for (const peerId of to) {
        if (isUnwanted(peerId, id)) continue
        const list = frames.get(peerId)
        if (list === undefined) frames.set(peerId, [frame])
        else list.push(frame)
      }
    }
    held.clear()
    heldBytes = 0
    for (const [peerId, [first, ...others]] of frames) {
      if (first !== undefined) send(peerId, others.length === 0 ? first : Buffer.concat([first, ...others]))
    }
  }
  return {
    add: (forward) => {
      if (forward.to.size === 0) return
      held.set(forward.id, forward)
      heldBytes += forward.frame.length
      if (heldBytes >= FORWARDS_HELD_BYTES_MAX) flush()
      else timer ??= clock.after(random.unit() * FORWARD_HOLD_MS_MAX, flush)
    },
    drop: (peerId, id) => {
      held.get(id)?.to.delete(peerId)
    },
    [Symbol.dispose]: () => {
      timer?.[Symbol.dispose]()
      timer = undefined
      held.clear()
    }
  }
}
