import type { Clock } from '#contracts'
import { ALONE_NOTICE_MS, EXPIRY_CHECK_MS } from './constants.ts'
import type { EventHub } from './event-hub.ts'
import type { LostPeers } from './lost-peers.ts'
import type { MemberTable } from './member-table.ts'
import type { NoticeEvent } from './room-events.ts'

const ALONE: NoticeEvent = {
  type: 'notice',
  code: 'alone',
  text: 'nobody else was found in this room yet; still looking'
}

/** Who is watched, and what follows from it. */
export interface WatchInit {
  readonly clock: Clock
  readonly hub: Pick<EventHub, 'emit'>
  readonly members: MemberTable
  readonly peerCount: () => number
  readonly lost: LostPeers
  readonly search: () => void
}

/** Notices who has gone: members unheard for long, and the last connected one, after whom the search goes on. */
export function startWatch({ clock, hub, members, peerCount, lost, search }: WatchInit): Disposable {
  let hadPeers = false
  const check = (): void => {
    lost.check()
    for (const change of members.expire()) hub.emit(change)
    const hasPeers = peerCount() > 0
    if (hadPeers && !hasPeers) search()
    hadPeers = hasPeers
  }
  const checking = clock.every(EXPIRY_CHECK_MS, check)
  const alone = clock.after(ALONE_NOTICE_MS, () => {
    if (members.list().length === 0) hub.emit(ALONE)
  })
  return {
    [Symbol.dispose]: () => {
      checking[Symbol.dispose]()
      alone[Symbol.dispose]()
    }
  }
}
