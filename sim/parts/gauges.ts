import { FETCHES_WAITING_MAX, GOALS_MAX, HELD_MAX, type Replication } from '#replication'
import { MEMBERS_MAX, OUTBOX_MAX, type Room } from '#rooms'

/** A queue or table of a node and how long it may be. */
export interface Gauge {
  readonly name: string
  readonly size: number
  readonly max: number
}

/** A room whose queues can be looked at. */
export interface GaugedRoom extends Room {
  gauges(): readonly Gauge[]
}

/** Goals and copies, the choice of what is given, and agreements: what replication keeps on the disk. */
const REPLICA_ENTRIES_MAX: number = HELD_MAX + GOALS_MAX + 2_048

/** Watches a room: who it takes to be there, and what waits to be sent. */
export function gaugedRoom(room: Room): GaugedRoom {
  let waiting = 0
  return {
    ...room,
    send: async (text) => {
      waiting += 1
      try {
        return await room.send(text)
      } finally {
        waiting -= 1
      }
    },
    gauges: () => [
      // ourselves and the others
      { name: 'members of a room', size: room.members().length, max: MEMBERS_MAX + 1 },
      { name: 'messages that wait for somebody', size: waiting, max: OUTBOX_MAX }
    ]
  }
}

/** What a node keeps for others, and what waits to be fetched. */
export function replicaGauges(
  replication: Pick<Replication, 'quota'>,
  entries: () => number
): readonly Gauge[] {
  const { held, fetching } = replication.quota()
  return [
    { name: 'copies held', size: held, max: HELD_MAX },
    { name: 'copies to fetch', size: fetching, max: FETCHES_WAITING_MAX },
    { name: 'entries about replicas', size: entries(), max: REPLICA_ENTRIES_MAX }
  ]
}
