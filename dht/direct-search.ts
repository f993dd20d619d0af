import { createHash } from 'node:crypto'
import type { PeerInfo } from '@libp2p/interface'
import { MessageType } from '@libp2p/kad-dht'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import type { CID } from 'multiformats/cid'
import { QUICK_SEARCH_PEERS } from './constants.ts'
import type { DhtTable } from './dht-service.ts'
import { kadNetworkOf, NO_PATH } from './kad-network.ts'

/** What searching directly needs. */
export interface DirectSearchComponents {
  readonly dht: KadDHT
  readonly table: DhtTable
}

/** Asks a few peers who provides a content and yields what each of them answers. */
export type SearchDirectly = (cid: CID, signal: AbortSignal) => AsyncIterable<readonly PeerInfo[]>

/**
 * Asks those peers of the routing table that are nearest to a content who provides it, and nobody whom they name: the
 * other half of announcing to the nearest peers known. A thorough search dials some ten strangers, 20 to 40 ms of work each.
 */
export function createDirectSearch({ dht, table }: DirectSearchComponents): SearchDirectly {
  const network = kadNetworkOf(dht)
  return async function* (cid, signal) {
    const key = cid.multihash.bytes
    const kadId = createHash('sha256').update(key).digest()
    const request = { type: MessageType.GET_PROVIDERS, key }
    const ask = async (peerId: string): Promise<readonly PeerInfo[]> => {
      const to = peerIdFromString(peerId)
      for await (const event of network.sendRequest(to, request, { signal, path: NO_PATH })) {
        if (event.name === 'PEER_RESPONSE') return event.providers
      }
      return []
    }
    yield* asTheyCome(table.closest(kadId, QUICK_SEARCH_PEERS).map(ask))
    signal.throwIfAborted()
  }
}

/** What promises resolve with, the first one first; those that reject are left out. */
async function* asTheyCome<T>(promises: readonly Promise<T>[]): AsyncGenerator<T> {
  type Settled = { readonly index: number; readonly values: readonly T[] }
  const pending = new Map<number, Promise<Settled>>()
  promises.forEach((promise, index) => {
    const settled = promise.then(
      (value) => ({ index, values: [value] }),
      () => ({ index, values: [] })
    )
    pending.set(index, settled)
  })
  while (pending.size > 0) {
    const { index, values } = await Promise.race(pending.values())
    pending.delete(index)
    yield* values
  }
}
