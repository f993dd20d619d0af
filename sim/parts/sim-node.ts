import type { BookPeer, PeerBook } from '#dht'
import { keyPairFromSeed, peerIdFromDid, type KeyPair } from '#did'
import { multiaddr } from '@multiformats/multiaddr'
import { createRandomSource, deriveSeed, type RandomSource } from '../random-source.ts'
import { createVirtualDisk, type VirtualDisk } from './disk.ts'
import type { RunningNode } from './running-node.ts'
import type { Place } from './wire.ts'

/** What a node is beside others: a person's, a seed, one that lies. */
export type NodeRole = 'peer' | 'seed' | 'sybil'

/** A device: what is left of it while it does not run. */
export interface SimNode {
  readonly place: Place
  readonly role: NodeRole
  readonly keyPair: KeyPair
  readonly peer: BookPeer
  readonly multiaddrs: readonly Uint8Array[]
  readonly random: RandomSource
  readonly disk: VirtualDisk
  /** Places of peers it met when it ran last. */
  knownPlaces: readonly Place[]
  /** Gone for good, its disk too. */
  isGone: boolean
  running: RunningNode | undefined
}

/** Makes a device: its key, its disk and what it leaves to chance follow from the seed and its place. */
export function createSimNode(
  book: PeerBook,
  seed: number,
  { place, role }: Pick<SimNode, 'place' | 'role'>
): SimNode {
  const random = createRandomSource(deriveSeed(seed, 'node', String(place)))
  const keyPair = keyPairFromSeed(random.bytes(32))
  return {
    ...{ place, role, keyPair, random },
    peer: book.ofText(peerIdFromDid(keyPair.did)),
    multiaddrs: [multiaddr(addressOf(place)).bytes],
    disk: createVirtualDisk(random),
    ...{ knownPlaces: [], isGone: false, running: undefined }
  }
}

/** Where a node says that it is. */
export function addressOf(place: Place): string {
  return `/memory/${place}`
}
