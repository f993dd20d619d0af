import { POLL_SLEEP_MS_MAX, POLL_SUBSCRIPTIONS_MAX } from './constants.ts'
import { may } from './descriptors.ts'
import { ERRNO, WasiError, type Errno } from './errno.ts'
import type { WasiHost } from './host.ts'
import { readClockNs } from './process-calls.ts'
import { RIGHT } from './rights.ts'
import type { GuestInput } from '../streams.ts'
import { arrivesNow, inputOf } from './stream-calls.ts'

const SUBSCRIPTION_BYTES = 48
const EVENT_BYTES = 32
const KIND = { clock: 0, read: 1, write: 2 } as const
const ABSOLUTE_TIME = 1
const HANGUP = 1
/** What a call takes or gives without waiting, as far as a program can know. */
const READY_BYTES = 65_536n
const NS_PER_MS = 1_000_000n

interface ClockSubscription {
  readonly kind: typeof KIND.clock
  readonly userdata: bigint
  /** On the monotonic clock of the process. */
  readonly dueMs: number
}

interface StreamSubscription {
  readonly kind: typeof KIND.read | typeof KIND.write
  readonly userdata: bigint
  readonly descriptor: number
}

type Subscription = ClockSubscription | StreamSubscription

interface PollEvent {
  readonly userdata: bigint
  readonly errno: Errno
  readonly kind: number
  readonly bytes: bigint
  readonly flags: number
}

/** `poll_oneoff`: waits until a stream is ready or a time has come, for any of several subscriptions. */
export function pollCall(
  host: WasiHost
): (subscriptions: number, events: number, count: number, result: number) => Promise<number> {
  return async (subscriptionsAt, eventsAt, count, result) => {
    const subscriptionCount = count >>> 0
    if (subscriptionCount === 0 || subscriptionCount > POLL_SUBSCRIPTIONS_MAX) return ERRNO.inval
    const subscriptions = readSubscriptions(host, subscriptionsAt >>> 0, subscriptionCount)
    host.memory.bytes(eventsAt, subscriptionCount * EVENT_BYTES)
    host.memory.bytes(result, 4)
    let events = readyEvents(host, subscriptions)
    // One whose clock is always due, or who can always write, hears of what comes all the same.
    if (events.length > 0 && events.every(({ kind }) => kind !== KIND.read)) {
      const inputs = readInputs(host, subscriptions)
      if (inputs.length > 0 && (await arrivesNow(host, inputs))) events = readyEvents(host, subscriptions)
    }
    while (events.length === 0) {
      await somethingHappens(host, subscriptions)
      events = readyEvents(host, subscriptions)
    }
    events.forEach((event, index) => writeEvent(host, (eventsAt >>> 0) + index * EVENT_BYTES, event))
    host.memory.setU32(result, events.length)
    return ERRNO.success
  }
}

function readSubscriptions(host: WasiHost, address: number, count: number): Subscription[] {
  const { memory } = host
  return Array.from({ length: count }, (_, index): Subscription => {
    const at = address + index * SUBSCRIPTION_BYTES
    const userdata = memory.u64(at)
    const kind = memory.bytes(at + 8, 1)[0]
    if (kind === KIND.read || kind === KIND.write) return { kind, userdata, descriptor: memory.u32(at + 16) }
    if (kind !== KIND.clock) throw new WasiError(ERRNO.inval)
    const timeoutNs = memory.u64(at + 24)
    const nowNs = readClockNs(host, memory.u32(at + 16))
    const isAbsolute = (memory.u16(at + 40) & ABSOLUTE_TIME) !== 0
    const waitNs = isAbsolute ? timeoutNs - nowNs : timeoutNs
    const waitMs = Number(waitNs <= 0n ? 0n : (waitNs + NS_PER_MS - 1n) / NS_PER_MS)
    return { kind, userdata, dueMs: host.monotonicMs() + Math.min(waitMs, POLL_SLEEP_MS_MAX) }
  })
}

function readyEvents(host: WasiHost, subscriptions: readonly Subscription[]): PollEvent[] {
  const nowMs = host.monotonicMs()
  return subscriptions
    .map((subscription): PollEvent | undefined => {
      if (subscription.kind !== KIND.clock) return streamEvent(host, subscription)
      if (subscription.dueMs > nowMs) return undefined
      return { userdata: subscription.userdata, errno: ERRNO.success, kind: KIND.clock, bytes: 0n, flags: 0 }
    })
    .filter((event) => event !== undefined)
}

function streamEvent(
  host: WasiHost,
  { kind, userdata, descriptor: number }: StreamSubscription
): PollEvent | undefined {
  const refused = { userdata, errno: ERRNO.badf, kind, bytes: 0n, flags: 0 }
  let descriptor
  try {
    descriptor = host.descriptors.get(number)
  } catch {
    return refused
  }
  const isWriting = kind === KIND.write
  if (!may(descriptor, isWriting ? RIGHT.write : RIGHT.read)) return refused
  // A file never makes a program wait, not even at its end.
  if (isWriting || descriptor.kind !== 'stream') {
    return { userdata, errno: ERRNO.success, kind, bytes: READY_BYTES, flags: 0 }
  }
  const input = inputOf(host, descriptor)
  if (!input.isReady) return undefined
  const flags = input.isDrained ? HANGUP : 0
  return { userdata, errno: ERRNO.success, kind, bytes: BigInt(input.readableBytes), flags }
}

/** The inputs behind the streams that are asked for. Only after {@link readyEvents} had nothing to say of them. */
function readInputs(host: WasiHost, subscriptions: readonly Subscription[]): GuestInput[] {
  return subscriptions.flatMap((subscription) => {
    if (subscription.kind !== KIND.read) return []
    const descriptor = host.descriptors.get(subscription.descriptor)
    return descriptor.kind === 'stream' ? [inputOf(host, descriptor)] : []
  })
}

/** Resolves when an input is ready or the first clock is due. */
async function somethingHappens(host: WasiHost, subscriptions: readonly Subscription[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const clocks = subscriptions.filter((subscription) => subscription.kind === KIND.clock)
  const cancels = [
    ...clocks.map(({ dueMs }) => host.after(Math.max(0, dueMs - host.monotonicMs()), resolve)),
    ...readInputs(host, subscriptions).map((input) => input.onReady(resolve))
  ]
  await promise
  for (const cancel of cancels) cancel()
}

function writeEvent(host: WasiHost, address: number, event: PollEvent): void {
  const bytes = host.memory.bytes(address, EVENT_BYTES).fill(0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, EVENT_BYTES)
  view.setBigUint64(0, event.userdata, true)
  view.setUint16(8, event.errno, true)
  view.setUint8(10, event.kind)
  view.setBigUint64(16, event.bytes, true)
  view.setUint16(24, event.flags, true)
}
