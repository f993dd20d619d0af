import type { Clock, Random } from '#contracts'
import { CONTACTS_MAX, LOST_KEPT_MS, LOST_PEERS_MAX } from './constants.ts'
import type { RoomPeer } from './transport.ts'

/** What {@link createLostPeers} works with. */
export interface LostPeersInit {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly random: Pick<Random, 'unit'>
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

interface Lost {
  readonly peer: RoomPeer
  /** How long it was connected. */
  readonly stayedMs: number
  readonly untilMs: number
}

/**
 * Remembers members whose connection broke, and tries them again; of too many those who stayed longest, for anybody can
 * make keys that come and go. In a network that is whole again after a cut each side of
 * a room has company, and would look for the other only when its next search comes, minutes later. Where there is company enough they
 * are tried one at a time: some connections end because there were too many.
 */
export function createLostPeers({ clock, random, connected, memberAt, offer }: LostPeersInit): LostPeers {
  const lost = new Map<string, Lost>()
  let connectedSince = new Map<string, number>()
  return {
    check: () => {
      const nowMs = clock.monotonicMs()
      const now = new Map(connected().map((peerId) => [peerId, connectedSince.get(peerId) ?? nowMs]))
      for (const [peerId, sinceMs] of connectedSince) {
        const peer = now.has(peerId) ? undefined : memberAt(peerId)
        if (peer === undefined) continue
        lost.set(peerId, { peer, stayedMs: nowMs - sinceMs, untilMs: nowMs + LOST_KEPT_MS })
        if (lost.size > LOST_PEERS_MAX) lost.delete(briefest(lost))
      }
      connectedSince = now
      for (const [peerId, { untilMs }] of lost) {
        if (now.has(peerId) || nowMs >= untilMs) lost.delete(peerId)
      }
      const peers = [...lost.values()].map(({ peer }) => peer)
      if (now.size < CONTACTS_MAX) for (const peer of peers) offer(peer)
      else for (const peer of peers.splice(Math.floor(random.unit() * peers.length), 1)) offer(peer)
    }
  }
}

/** Who stayed for the shortest time; of several the one lost last. */
function briefest(lost: ReadonlyMap<string, Lost>): string {
  let [found, leastMs] = ['', Infinity]
  for (const [peerId, { stayedMs }] of lost) {
    if (stayedMs <= leastMs) [found, leastMs] = [peerId, stayedMs]
  }
  return found
}
