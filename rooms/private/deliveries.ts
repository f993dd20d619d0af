import type { Clock, Logger } from '#contracts'
import { errorCode, orAborted } from '#contracts'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { startDeadline } from '../deadline.ts'
import { RoomError } from '../errors.ts'
import { nthWait } from '../pause.ts'
import type { RoomStoreChange } from '../store.ts'
import {
  DELIVERIES_MAX,
  DELIVER_MS,
  DELIVER_RETRY_MS,
  DELIVER_TIMEOUT_MS,
  FRAME_BYTES_MAX,
  OUTGOING_MAX
} from './constants.ts'
import type { Outgoing } from './conversation.ts'
import type { Vault } from './vault.ts'

const NUMBER_DIGITS = 16

/** Brings bytes to a device. */
export interface PrivateTransport {
  /**
   * Hands a frame to a device, or to whoever keeps it for the device. Resolves when it was taken durably; until then it is
   * tried again, so that a device may get the same frame twice.
   */
  deliver(device: Did, bytes: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
}

/** What is on its way to other devices: in order for each, until it was taken. */
export interface Deliveries extends AsyncDisposable {
  /** The changes that put frames on their way; nothing is sent before {@link Deliveries.start} is told they are written. */
  plan(outgoing: readonly Outgoing[], nowMs: number): PlannedDeliveries
  start(planned: PlannedDeliveries): void
  /** A device is there: what waits for it is tried at once. */
  hurry(device: Did): void
  /** How many frames were not taken yet, by anybody or by one device. */
  waiting(device?: Did): number
}

/** Frames with their places in the store. */
export interface PlannedDeliveries {
  readonly changes: readonly RoomStoreChange[]
  readonly items: readonly Item[]
}

interface Item extends Outgoing {
  readonly key: string
  readonly sinceMs: number
}

interface Lane {
  readonly items: Item[]
  failures: number
  notBeforeMs: number
  isBusy: boolean
}

/** Collaborators of {@link startDeliveries}. */
export interface DeliveriesComponents {
  readonly vault: Vault
  readonly transport: PrivateTransport
  readonly clock: Clock
  readonly logger: Logger
}

/** Starts with what was on its way when this device stopped. */
export async function startDeliveries(components: DeliveriesComponents): Promise<Deliveries> {
  const { vault, clock } = components
  const stopping = new AbortController()
  const lanes = createLanes(components, stopping.signal)
  let next = 0
  for await (const [key, value] of vault.entries('o/')) {
    lanes.add(decodeItem(key, value))
    next = Number(key.slice('o/'.length)) + 1
  }
  const ticking = clock.every(DELIVER_RETRY_MS[0] ?? 0, lanes.pump)
  lanes.pump()
  return {
    plan: (outgoing, nowMs) => {
      if (outgoing.length > 0 && lanes.count() + outgoing.length > OUTGOING_MAX)
        throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${OUTGOING_MAX} frames on their way`)
      const items = outgoing.map((one) => ({
        ...one,
        key: `o/${String(next++).padStart(NUMBER_DIGITS, '0')}`,
        sinceMs: nowMs
      }))
      return { items, changes: items.map((item) => vault.change(item.key, encodeItem(item))) }
    },
    start: ({ items }) => {
      for (const item of items) lanes.add(item)
      lanes.pump()
    },
    hurry: lanes.hurry,
    waiting: (device) => lanes.count(device),
    [Symbol.asyncDispose]: async () => {
      ticking[Symbol.dispose]()
      stopping.abort(new RoomError('ERR_ROOM_CLOSED', 'expected private rooms that were not stopped'))
      await lanes.settled()
    }
  }
}

interface Lanes {
  readonly add: (item: Item) => void
  readonly pump: () => void
  readonly hurry: (device: Did) => void
  readonly count: (device?: Did) => number
  readonly settled: () => Promise<void>
}

/** One lane for each device: in it one frame after the other. */
function createLanes(components: DeliveriesComponents, stopping: AbortSignal): Lanes {
  const { vault, clock, logger } = components
  const lanes = new Map<Did, Lane>()
  const tasks = new Set<Promise<void>>()
  let count = 0
  const deliver = async (device: Did, lane: Lane, item: Item): Promise<void> => {
    try {
      if (clock.nowMs() - item.sinceMs < DELIVER_MS) await handOver(components, item, stopping)
      await vault.write([vault.change(item.key, undefined)])
      lane.items.shift()
      count--
      lane.failures = 0
      lane.notBeforeMs = 0
    } catch (error) {
      logger.debug('private frame not delivered', { device, code: errorCode(error) })
      lane.notBeforeMs = clock.monotonicMs() + nthWait(DELIVER_RETRY_MS, lane.failures++)
    }
    lane.isBusy = false
    if (lane.items.length === 0) lanes.delete(device)
  }
  const pump = (): void => {
    for (const [device, lane] of lanes) {
      const [item] = lane.items
      if (stopping.aborted || tasks.size >= DELIVERIES_MAX) return
      if (item === undefined || lane.isBusy || clock.monotonicMs() < lane.notBeforeMs) continue
      lane.isBusy = true
      const task = deliver(device, lane, item).then(() => {
        tasks.delete(task)
        pump()
      })
      tasks.add(task)
    }
  }
  return {
    pump,
    count: (device) => (device === undefined ? count : (lanes.get(device)?.items.length ?? 0)),
    add: (item) => {
      const lane = lanes.get(item.to) ?? { items: [], failures: 0, notBeforeMs: 0, isBusy: false }
      lanes.set(item.to, lane)
      lane.items.push(item)
      count++
    },
    hurry: (device) => {
      const lane = lanes.get(device)
      if (lane === undefined) return
      lane.notBeforeMs = 0
      pump()
    },
    settled: async () => {
      await Promise.allSettled(tasks)
    }
  }
}

async function handOver(
  { transport, clock }: DeliveriesComponents,
  { to, bytes }: Item,
  stopping: AbortSignal
): Promise<void> {
  using deadline = startDeadline(clock, DELIVER_TIMEOUT_MS, stopping)
  const { signal } = deadline
  await orAborted(transport.deliver(to, bytes, { signal }), signal)
}

function encodeItem({ to, bytes, sinceMs }: Item): Uint8Array {
  return encodeCanonical({ to, bytes, sinceMs })
}

function decodeItem(key: string, value: Uint8Array): Item {
  const item = decodeCanonical(value, { bytesMax: 2 * FRAME_BYTES_MAX }) as {
    readonly to: string
    readonly bytes: Uint8Array
    readonly sinceMs: number
  }
  return { ...item, to: parseDid(item.to), key }
}
