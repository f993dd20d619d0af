import type { Clock } from '#contracts'
import { LOST_KEPT_MS, LOST_PEERS_MAX } from './constants.ts'
import type { RoomPeer } from './transport.ts'

/** What {@link createLostPeers} works with. */
export interface LostPeersInit {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Subscribers of the room that are connected now. */
  readonly connected: () => readonly string[]
  /** Where a member is; `undefined` for somebody who is no member, such as one who has left. */
  readonly memberAt: (peerId: string) => RoomPeer | undefined
  /** Contacts a peer, soon or not at all. */
  readonly offer: (peer: RoomPeer) => void
}

/** Members whose connection broke without a word. */
export interface LostPeers {
  /** Looks who is lost, and tries them again. */
  check(): void
}

/**
 * Remembers members whose connection broke, and tries them again. In a network that is whole again after a cut each side of
 * a room has company, and would look for the other only when its next search comes, minutes later.
 */
export function createLostPeers({ clock, connected, memberAt, offer }: LostPeersInit): LostPeers {
  const lost = new Map<string, { readonly peer: RoomPeer; readonly untilMs: number }>()
  let before: readonly string[] = []
  return {
    check: () => {
      const nowMs = clock.monotonicMs()
      const now = new Set(connected())
      for (const peerId of before) {
        const peer = now.has(peerId) ? undefined : memberAt(peerId)
        if (peer !== undefined && lost.size < LOST_PEERS_MAX) {
          lost.set(peerId, { peer, untilMs: nowMs + LOST_KEPT_MS })
        }
      }
      before = [...now]
      for (const [peerId, { peer, untilMs }] of lost) {
        if (now.has(peerId) || nowMs >= untilMs) lost.delete(peerId)
        else offer(peer)
      }
    }
  }
}
