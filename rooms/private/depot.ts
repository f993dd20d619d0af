import type { Clock } from '#contracts'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { DEPOT_TAKERS_MAX } from '../constants.ts'
import { RoomError } from '../errors.ts'
import type { RoomStore } from '../store.ts'
import {
  DEPOT_DEVICES_MAX,
  DEPOT_DEVICES_OF_PERSON_MAX,
  DEPOT_MS,
  DEPOT_TAKES_MAX,
  DEPOT_TAKES_PERIOD_MS,
  PREKEYS_BYTES_MAX,
  STORE_PREFIX
} from './constants.ts'
import { decodeKeyPackage, openPrekeys, type PublishedPrekeys } from './prekeys.ts'
import { readCredential } from './suite.ts'

/** Gives out the prekeys of others, each one-use prekey once, so that a device can be written to while it is away. */
export interface PrekeyDepot {
  /**
   * Takes the prekeys that a device published, instead of those it gave before. Resolves with whose they are.
   *
   * @param from the device that brings them, which they must be of; of any device when absent
   * @throws RoomError `ERR_PRIVATE_MALFORMED`, `ERR_PRIVATE_FOREIGN` when they are not the device's own, `ERR_PRIVATE_STALE` when newer
   * ones are here, `ERR_PRIVATE_FULL`
   */
  deposit(bytes: Uint8Array, from?: Did): Promise<Did>
  /** One prekey for each device of the person but `except`; to who asks too often, the last resorts only. */
  take(
    person: Did,
    options: { readonly taker: Did; readonly except?: readonly Did[] }
  ): Promise<readonly Uint8Array[]>
  /** The devices of a person that left prekeys here. */
  devicesOf(person: Did): readonly Did[]
  /** Everybody who left prekeys here. */
  persons(): readonly Did[]
}

interface Deposit {
  readonly person: Did
  readonly device: Did
  readonly issuedAtMs: number
  readonly takenAtMs: number
  /** One-use prekeys that nobody was given yet, the last resort last. */
  readonly left: readonly Uint8Array[]
  /** Given out already: in vain, when the device publishes them again. */
  readonly given: readonly Uint8Array[]
}

/** What a depot works with. */
export interface PrekeyDepotComponents {
  readonly store: RoomStore
  readonly clock: Pick<Clock, 'nowMs'>
  /** Deposits that were in the store when it was opened. */
  readonly deposits?: readonly (readonly [key: string, value: Uint8Array])[]
}

const KEY_PREFIX = `${STORE_PREFIX}d/`
const RECORD_BYTES_MAX: number = 4 * PREKEYS_BYTES_MAX

/** A depot over a store, which keeps nothing secret: the prekeys are for everybody. */
export function createPrekeyDepot({ store, clock, deposits = [] }: PrekeyDepotComponents): PrekeyDepot {
  const byDevice = new Map<Did, Deposit>()
  for (const [, value] of deposits) {
    const deposit = decodeDeposit(value)
    byDevice.set(deposit.device, deposit)
  }
  const isOften = createTakeLimit(clock)
  const keep = async (deposit: Deposit): Promise<void> => {
    byDevice.set(deposit.device, deposit)
    await store.write([{ key: KEY_PREFIX + deposit.device, value: encodeCanonical({ ...deposit }) }])
  }
  const devicesOf = (person: Did): readonly Did[] => {
    const oldestMs = clock.nowMs() - DEPOT_MS
    const found = [...byDevice.values()].filter((one) => one.person === person && one.takenAtMs > oldestMs)
    return found.map(({ device }) => device)
  }
  const forgetOld = async (): Promise<void> => {
    const oldestMs = clock.nowMs() - DEPOT_MS
    const gone = [...byDevice.values()].filter(({ takenAtMs }) => takenAtMs <= oldestMs)
    await store.write(gone.map(({ device }) => ({ key: KEY_PREFIX + device })))
    for (const { device } of gone) byDevice.delete(device)
  }
  return {
    ...{ devicesOf, persons: () => [...new Set([...byDevice.values()].map(({ person }) => person))] },
    deposit: async (bytes, from) => {
      const { device, issuedAtMs, prekeys } = openFrom(bytes, from)
      const person = personOf(device, prekeys)
      const before = byDevice.get(device)
      if (before !== undefined && before.issuedAtMs > issuedAtMs)
        throw new RoomError('ERR_PRIVATE_STALE', 'expected newer prekeys than those that are here')
      if (before === undefined) {
        await forgetOld()
        if (byDevice.size >= DEPOT_DEVICES_MAX || devicesOf(person).length >= DEPOT_DEVICES_OF_PERSON_MAX)
          throw new RoomError('ERR_PRIVATE_FULL', `expected at most ${DEPOT_DEVICES_MAX} devices`)
      }
      const given = (before?.given ?? []).filter((one) => prekeys.some((other) => isSame(one, other)))
      const left = prekeys.filter((one) => !given.some((other) => isSame(one, other)))
      await keep({ person, device, issuedAtMs, takenAtMs: clock.nowMs(), left, given })
      return person
    },
    take: async (person, { taker, except = [] }) => {
      const asked = devicesOf(person).filter((one) => !except.includes(one))
      // who finds nobody, or what anybody may have, has taken nothing
      const takesSome = asked.some((device) => (byDevice.get(device)?.left.length ?? 0) > 1)
      const isGreedy = takesSome && isOften(person, taker)
      const found: Uint8Array[] = []
      for (const device of asked) {
        // as it is now: others take, and devices bring more, while one is written
        const deposit = byDevice.get(device)
        const last = deposit?.left.at(-1)
        if (deposit === undefined || last === undefined) continue
        const [first = last] = deposit.left
        // The last one stands for itself again and again.
        if (isGreedy || deposit.left.length === 1) found.push(last)
        else {
          await keep({ ...deposit, left: deposit.left.slice(1), given: [...deposit.given, first] })
          found.push(first)
        }
      }
      return found
    }
  }
}

/** Opens the depot in `store`. */
export async function openPrekeyDepot(
  components: Omit<PrekeyDepotComponents, 'deposits'>
): Promise<PrekeyDepot> {
  const deposits: (readonly [string, Uint8Array])[] = []
  for await (const entry of components.store.entries(KEY_PREFIX)) deposits.push(entry)
  return createPrekeyDepot({ ...components, deposits })
}

/** Whether somebody asks for the prekeys of a person more often than one who writes to them would. */
function createTakeLimit(clock: Pick<Clock, 'nowMs'>): (person: Did, taker: Did) => boolean {
  const takes = new Map<string, { count: number; sinceMs: number }>()
  return (person, taker) => {
    const key = `${person} ${taker}`
    const nowMs = clock.nowMs()
    const known = takes.get(key)
    const isNew = known === undefined || nowMs - known.sinceMs >= DEPOT_TAKES_PERIOD_MS
    // Deleting and setting again keeps the map in order of use: who asks on and on is not forgotten.
    takes.delete(key)
    if (takes.size >= DEPOT_TAKERS_MAX) for (const oldest of takes.keys().take(1)) takes.delete(oldest)
    takes.set(key, isNew ? { count: 1, sinceMs: nowMs } : { ...known, count: known.count + 1 })
    return !isNew && known.count >= DEPOT_TAKES_MAX
  }
}

/** What a device brought. One that might bring those of others would fill the depot with devices it made up. */
function openFrom(bytes: Uint8Array, from: Did | undefined): PublishedPrekeys {
  const published = openPrekeys(bytes)
  if (from !== undefined && from !== published.device)
    throw new RoomError('ERR_PRIVATE_FOREIGN', 'expected the prekeys of the device that brings them')
  return published
}

function personOf(device: Did, prekeys: readonly Uint8Array[]): Did {
  const owners = prekeys.map((bytes) => {
    const { leafNode } = decodeKeyPackage(bytes)
    return readCredential(leafNode.credential, leafNode.signaturePublicKey)
  })
  const [first] = owners
  if (
    first?.device !== device ||
    !owners.every((owner) => owner?.device === device && owner.person === first.person)
  )
    throw new RoomError('ERR_PRIVATE_FOREIGN', 'expected the prekeys of the device that signed')
  return first.person
}

function decodeDeposit(value: Uint8Array): Deposit {
  const record = decodeCanonical(value, { bytesMax: RECORD_BYTES_MAX }) as Omit<
    Deposit,
    'person' | 'device'
  > & {
    readonly person: string
    readonly device: string
  }
  return { ...record, person: parseDid(record.person), device: parseDid(record.device) }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
