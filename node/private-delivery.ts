import { createRecent, type Clock } from '#contracts'
import type { Host } from '#dht'
import { decodeCanonical, encodeCanonical, peerIdFromDid, type Did } from '#did'
import {
  MAILBOX_BOX_PEER_ITEMS_MAX,
  MAILBOX_KEPT_MS,
  PRIVATE_EXCHANGE,
  type Mailbox,
  type RoomStore
} from '#rooms'
import { createDeadline } from './deadline.ts'

/** What bringing frames to devices works with. */
export interface PrivateDeliveryComponents {
  readonly host: {
    readonly exchange: Pick<Host['exchange'], 'request'>
    readonly peers: () => readonly { readonly peerId: string }[]
  }
  readonly mailbox: Pick<Mailbox, 'deposit'>
  /** Remembers how much was left for whom. */
  readonly store: Pick<RoomStore, 'get' | 'write'>
  readonly clock: Pick<Clock, 'after' | 'nowMs'>
}

/** Hands a frame to a device or leaves it in its mailbox. @throws when neither took it: it is to be tried again */
export type PrivateDelivery = (
  to: Did,
  bytes: Uint8Array,
  options: { readonly signal: AbortSignal }
) => Promise<void>

/** How many bytes answer a frame. */
export const TAKEN_BYTES = 1
/** Time for a device to answer itself; then its mailbox is tried. */
const ANSWER_MS = 5_000
/** Time for keepers to take a frame; with {@link ANSWER_MS} less than what one delivery may take. */
const DEPOSIT_MS = 8_000
/** Keepers that a frame is left with before it is let go of, where so many peers are known: one of them may lie. */
const KEEPERS_MIN = 2
/** So often a frame that fewer took is tried again; then one is enough, since the frames behind it wait. */
const FEW_KEEPERS_TRIES = 3
/** Devices whose tries are counted. */
const TRIED_MAX = 1_024
const DAY_MS = 24 * 60 * 60_000
const LEFT_PREFIX = 'left/'
const LEFT_BYTES_MAX = 1_024

/** Brings frames to devices. */
export function createPrivateDelivery(components: PrivateDeliveryComponents): PrivateDelivery {
  const { host, mailbox, clock } = components
  const left = createLeftCount(components)
  const tries = createRecent<number>(TRIED_MAX)
  const hand = async (to: Did, bytes: Uint8Array, signal: AbortSignal): Promise<void> => {
    using deadline = createDeadline({ clock, signal, idleMs: ANSWER_MS, what: 'no answer' })
    const options = { signal: deadline.signal, responseBytesMax: TAKEN_BYTES }
    await host.exchange.request(peerIdFromDid(to), PRIVATE_EXCHANGE, bytes, options)
  }
  const leave = async (to: Did, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> => {
    // Of more, keepers would throw away the oldest.
    if ((await left.count(to)) >= MAILBOX_BOX_PEER_ITEMS_MAX) return false
    using deadline = createDeadline({ clock, signal, idleMs: DEPOSIT_MS, what: 'no keeper' })
    const keepers = await mailbox.deposit({ device: to }, [bytes], deadline)
    const own = peerIdFromDid(to)
    const known = host.peers().filter(({ peerId }) => peerId !== own).length
    const tried = (tries.get(to) ?? 0) + 1
    const isKept = keepers >= Math.min(KEEPERS_MIN, known) || tried > FEW_KEEPERS_TRIES
    tries.set(to, isKept ? 0 : tried)
    if (keepers === 0 || !isKept) return false
    await left.add(to)
    return true
  }
  return async (to, bytes, { signal }) => {
    try {
      await hand(to, bytes, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(await leave(to, bytes, signal))) throw error
    }
  }
}

interface LeftCount {
  /** Frames that keepers may still have for a device. */
  count(device: Did): Promise<number>
  add(device: Did): Promise<void>
}

/** Counts by days: over restarts too, since keepers do. */
function createLeftCount({ store, clock }: PrivateDeliveryComponents): LeftCount {
  const today = (): number => Math.floor(clock.nowMs() / DAY_MS)
  const read = async (device: Did): Promise<readonly (readonly [day: number, count: number])[]> => {
    const value = await store.get(LEFT_PREFIX + device)
    if (value === undefined) return []
    const days = decodeCanonical(value, { bytesMax: LEFT_BYTES_MAX }) as readonly (readonly [
      number,
      number
    ])[]
    const firstDay = today() - MAILBOX_KEPT_MS / DAY_MS
    return days.filter(([day]) => day >= firstDay && day <= today())
  }
  return {
    count: async (device) => (await read(device)).reduce((sum, [, count]) => sum + count, 0),
    add: async (device) => {
      const days = new Map(await read(device))
      days.set(today(), (days.get(today()) ?? 0) + 1)
      const value = encodeCanonical([...days].map((day) => [...day]))
      await store.write([{ key: LEFT_PREFIX + device, value }])
    }
  }
}
