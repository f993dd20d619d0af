import { silentLogger } from '#contracts'
import { certifyDevice, createKeyPair, type Did, type KeyPair } from '#did'
import {
  startReplication,
  type PoolId,
  type ReplicaAccess,
  type ReplicaContent,
  type ReplicaHandler,
  type ReplicaNetwork,
  type ReplicaStore,
  type Replication,
  type ReplicationInit,
  type Root
} from '#replication'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/** A device that keeps, its person and what it has on its disk. */
export interface PartyMember {
  readonly device: KeyPair
  readonly person: Did
  readonly certificate: Uint8Array
  /** What it has, and whom it serves; survives a crash. */
  readonly disk: Map<Root, ReplicaAccess>
  readonly entries: Map<string, Uint8Array>
  /** Absent while it is down. */
  replication: Replication | undefined
  /** Fetches peers began here. */
  readonly demand: Map<Root, number>
  /** Roots of which it gets nothing and never hears that there is nothing. */
  readonly stalled: Set<Root>
  /** Dids and roots it denies; it opens nothing denied. */
  readonly denied: Set<string>
  /** It says that it has everything, and has other bytes. */
  isLiar: boolean
}

/** Devices that keep for each other in virtual time. */
export interface ReplicaParty extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly members: readonly PartyMember[]
  /** Messages by what they asked are not told apart: how many were sent. */
  readonly sent: { count: number }
  /** How often somebody looked for the others of a pool. */
  readonly searches: { count: number }
  /** In which pool somebody announced itself, and when. */
  readonly announcements: readonly { readonly pool: PoolId; readonly atMs: number }[]
  /** Devices that take questions and never answer, and how many they were asked. */
  readonly silent: Map<Did, number>
  /** Bytes fetched as copies. */
  readonly fetched: { bytes: number }
  start(member: PartyMember): Promise<Replication>
  /** Ends it as a power cut does. */
  kill(member: PartyMember): Promise<void>
  /** Nobody of one side hears the other; nobody is cut off when empty. */
  cut(side: readonly PartyMember[]): void
  /** Puts some bytes on a member's disk. */
  add(
    member: PartyMember,
    content: { readonly blocks: number; readonly access?: ReplicaAccess }
  ): Promise<Root>
  /** Members that run and hold a root for others. */
  holders(root: Root): PartyMember[]
  /** Whether `reader` would be served that root by somebody. */
  canFetch(reader: Did, root: Root): boolean
  ask(from: Did, to: PartyMember, message: Uint8Array): Promise<Uint8Array>
}

/** What a party is made of. */
export interface ReplicaPartyInit extends ReplicationInit {
  readonly size: number
  readonly seed?: number
  /** How many of the members, the first ones, are devices of one person; one when absent. */
  readonly devicesOfFirst?: number
}

const BLOCK_BYTES = 1_000

/** A party whose members are not started. */
export function createReplicaParty({
  size,
  seed = 1,
  devicesOfFirst = 1,
  ...init
}: ReplicaPartyInit): ReplicaParty {
  const clock = createVirtualClock()
  const random = createSeededRandom(seed)
  const contents = new Map<Root, readonly Uint8Array[]>()
  const handlers = new Map<Did, ReplicaHandler>()
  const pools = new Map<PoolId, Set<Did>>()
  const sent = { count: 0 }
  const searches = { count: 0 }
  const announcements: { pool: PoolId; atMs: number }[] = []
  const silent = new Map<Did, number>()
  const fetched = { bytes: 0 }
  let isCut = new Set<Did>()
  let first: KeyPair | undefined
  const members = Array.from({ length: size }, (_, index): PartyMember => {
    const [device, own] = [createKeyPair(random), createKeyPair(random)]
    first ??= own
    const person = index < devicesOfFirst ? first : own
    const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
    return {
      ...{ device, person: person.did, certificate },
      disk: new Map(),
      entries: new Map(),
      demand: new Map(),
      denied: new Set(),
      stalled: new Set(),
      replication: undefined,
      isLiar: false
    }
  })
  const reaches = (a: Did, b: Did): boolean => isCut.has(a) === isCut.has(b)
  const serves = (member: PartyMember, reader: Did, root: Root): boolean => {
    const access = member.disk.get(root)
    if (access === undefined || member.replication === undefined || member.isLiar) return false
    return access.isPublic || access.readers.includes(reader)
  }
  const server = (reader: Did, root: Root): PartyMember | undefined =>
    members.find(
      (one) => one.device.did !== reader && reaches(reader, one.device.did) && serves(one, reader, root)
    )
  const network = (self: Did): ReplicaNetwork => ({
    request: async (device, message, { signal }) => {
      sent.count++
      const asked = silent.get(device)
      if (asked !== undefined) {
        silent.set(device, asked + 1)
        await untilAborted(signal)
      }
      await Promise.resolve()
      const handler = handlers.get(device)
      if (handler === undefined || !reaches(self, device)) throw new Error('unreachable')
      return await handler(self, message, { signal: new AbortController().signal })
    },
    handle: async (handler) => {
      handlers.set(self, handler)
      await Promise.resolve()
      return {
        [Symbol.asyncDispose]: async () => {
          await Promise.resolve()
          if (handlers.get(self) === handler) handlers.delete(self)
        }
      }
    },
    announce: async (pool) => {
      await Promise.resolve()
      announcements.push({ pool, atMs: clock.monotonicMs() })
      pools.set(pool, (pools.get(pool) ?? new Set<Did>()).add(self))
    },
    find: async function* (pool) {
      searches.count++
      for (const device of pools.get(pool) ?? [])
        if (reaches(self, device)) yield await Promise.resolve(device)
    }
  })
  const content = (member: PartyMember): ReplicaContent => {
    const self = member.device.did
    const blocksOf = (root: Root): readonly Uint8Array[] => {
      const blocks = contents.get(root) ?? []
      return member.isLiar ? blocks.map((block) => new Uint8Array(block.length)) : blocks
    }
    const sizeOf = (root: Root): { bytes: number; blocks: number } => {
      const blocks = contents.get(root) ?? []
      return { blocks: blocks.length, bytes: blocks.reduce((sum, { length }) => sum + length, 0) }
    }
    return {
      hold: async (root, { access, bytesMax, signal }) => {
        await Promise.resolve()
        if (member.stalled.has(root)) await untilAborted(signal)
        if (member.denied.has(root)) throw new Error('denied')
        if (!member.disk.has(root)) {
          const from = member.isLiar ? undefined : server(self, root)
          if (from === undefined && !member.isLiar) throw new Error('nobody serves it')
          if (sizeOf(root).bytes > bytesMax) throw new Error('too large')
          from?.demand.set(root, (from.demand.get(root) ?? 0) + 1)
          fetched.bytes += sizeOf(root).bytes
        }
        member.disk.set(root, access)
        return sizeOf(root)
      },
      forget: async (root) => {
        await Promise.resolve()
        member.disk.delete(root)
      },
      has: (root) => member.disk.has(root),
      size: async (root) => await Promise.resolve(member.disk.has(root) ? sizeOf(root) : undefined),
      blocks: async (root, places) =>
        await Promise.resolve(places.map((place) => blocksOf(root)[place] ?? new Uint8Array())),
      takeDemand: (root) => {
        const count = member.demand.get(root) ?? 0
        member.demand.delete(root)
        return count
      }
    }
  }
  const party: ReplicaParty = {
    ...{ clock, members, sent, searches, announcements, silent, fetched },
    start: async (member) => {
      member.replication = await startReplication(
        {
          network: network(member.device.did),
          content: content(member),
          store: storeOf(member.entries),
          signer: member.device,
          certificate: member.certificate,
          clock,
          random,
          logger: silentLogger,
          isDenied: (name) => member.denied.has(name)
        },
        init
      )
      return member.replication
    },
    kill: async (member) => {
      const { replication } = member
      member.replication = undefined
      handlers.delete(member.device.did)
      isCut.add(member.device.did)
      const dead = replication?.[Symbol.asyncDispose]()
      await clock.settle()
      await dead
      isCut.delete(member.device.did)
    },
    cut: (side) => {
      isCut = new Set(side.map(({ device }) => device.did))
    },
    add: async (member, { blocks, access = { isPublic: true, readers: [] } }) => {
      const bytes = Array.from({ length: blocks }, () => random.bytes(BLOCK_BYTES))
      const root = CID.createV1(raw.code, await sha256.digest(Buffer.concat(bytes))).toString()
      contents.set(root, bytes)
      member.disk.set(root, access)
      return root
    },
    holders: (root) => members.filter(({ replication }) => replication?.holds(root) === true),
    canFetch: (reader, root) => server(reader, root) !== undefined,
    ask: async (from, to, message) =>
      await network(from).request(to.device.did, message, { signal: new AbortController().signal }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(members.map(async ({ replication }) => await replication?.[Symbol.asyncDispose]()))
    }
  }
  return party
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  signal.throwIfAborted()
}

function storeOf(entries: Map<string, Uint8Array>): ReplicaStore {
  return {
    put: async (key, value) => {
      await Promise.resolve()
      entries.set(key, value)
    },
    delete: async (key) => {
      await Promise.resolve()
      entries.delete(key)
    },
    entries: async function* (prefix) {
      for (const entry of [...entries]) if (entry[0].startsWith(prefix)) yield await Promise.resolve(entry)
    }
  }
}
