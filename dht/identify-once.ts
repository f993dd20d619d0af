import { identify } from '@libp2p/identify'
import type { Libp2p, PeerData, PeerId, PeerStore, PrivateKey } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { CODE_P2P, type Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '#contracts'
import { PEER_RECORD_AGE_MAX_MS } from './constants.ts'

/** What of libp2p says who and where this node is, and keeps what others say. */
interface IdentifyComponents {
  readonly peerId: PeerId
  readonly privateKey: PrivateKey
  readonly peerStore: PeerStore
  readonly addressManager: { getAddresses(): Multiaddr[] }
  readonly events: Pick<Libp2p, 'addEventListener'>
}

type IdentifyService = ReturnType<ReturnType<typeof identify>>

/** What identify does with the peer store; it looks at nothing that comes of a change. */
interface IdentifyStore extends Pick<PeerStore, 'get'> {
  patch(id: PeerId, data: PeerData): Promise<void>
  merge(id: PeerId, data: Pick<PeerData, 'metadata'>): Promise<void>
}

interface SealedRecord {
  readonly addresses: string
  readonly sealedAtMs: number
  readonly bytes: Promise<Uint8Array>
}

/**
 * identify that signs where this node is once for each set of addresses, and again when something else was said of it since, or an
 * hour later, as long as others remember an address. libp2p signs it anew for everybody who asks, under the
 * time of that moment as its number, so that whoever comes back has to check and to write down the same addresses once more.
 * What a peer says is written down in one piece: libp2p writes all but its version, reads that, and writes it again with it.
 */
export function identifyOnce(
  clock: Pick<Clock, 'monotonicMs'>
): (components: IdentifyComponents) => IdentifyService {
  const create = identify({ runOnLimitedConnection: true })
  return (components) => {
    const { peerId, peerStore } = components
    const current = sealing(components, clock)
    const joined = joiningStore(peerStore)
    const seen: IdentifyStore = {
      ...joined,
      get: async (id, options) => {
        const peer = await peerStore.get(id, options)
        if (!id.equals(peerId) || peer.peerRecordEnvelope !== undefined) return peer
        const peerRecordEnvelope = await current()
        return peerRecordEnvelope === undefined ? peer : { ...peer, peerRecordEnvelope }
      }
    }
    const service = create(components as unknown as Parameters<typeof create>[0])
    const stock = service.identify.bind(service)
    const identifyPeer: IdentifyService['identify'] = async (connection, options) => {
      try {
        return await stock(connection, options)
      } finally {
        await joined.flush(connection.remotePeer)
      }
    }
    const shown = new Proxy(components, {
      get: (target, key): unknown => (key === 'peerStore' ? seen : Reflect.get(target, key))
    })
    // nothing else of it uses the peer store; held by the test of this file
    return Object.assign(service, { components: shown, identify: identifyPeer })
  }
}

/** Holds back what identify says of a peer until it has said the rest, which it does at once when there is any. */
function joiningStore(
  store: PeerStore
): Pick<IdentifyStore, 'patch' | 'merge'> & { flush(id: PeerId): Promise<void> } {
  const held = new Map<string, PeerData>()
  const take = (id: PeerId): PeerData | undefined => {
    const data = held.get(id.toString())
    held.delete(id.toString())
    return data
  }
  return {
    patch: async (id, data) => {
      held.set(id.toString(), data)
      await Promise.resolve()
    },
    merge: async (id, { metadata = {} }) => {
      const data = take(id)
      if (data === undefined) {
        await store.merge(id, { metadata })
        return
      }
      const before = data.metadata ?? (await metadataOf(store, id))
      await store.patch(id, { ...data, metadata: new Map([...entriesOf(before), ...entriesOf(metadata)]) })
    },
    flush: async (id) => {
      const data = take(id)
      if (data !== undefined) await store.patch(id, data)
    }
  }
}

type Metadata = NonNullable<PeerData['metadata']>

async function metadataOf(store: PeerStore, id: PeerId): Promise<Metadata> {
  // nobody has heard of somebody new
  return await store.get(id).then(
    ({ metadata }) => metadata,
    () => ({})
  )
}

function entriesOf(metadata: Metadata): [string, Uint8Array][] {
  const entries = metadata instanceof Map ? [...metadata] : Object.entries(metadata)
  return entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))
}

/** What this node signed about where it is now; nothing while it is nowhere. */
function sealing(
  { peerId, privateKey, addressManager, events }: IdentifyComponents,
  clock: Pick<Clock, 'monotonicMs'>
): () => Promise<Uint8Array | undefined> {
  let sealed: SealedRecord | undefined
  let last = 0n
  // the push signs by itself then: whoever took that takes nothing that was signed before
  events.addEventListener('self:peer:update', () => {
    sealed = undefined
  })
  return async () => {
    const multiaddrs = addressManager.getAddresses().map((address) => address.decapsulateCode(CODE_P2P))
    if (multiaddrs.length === 0) return undefined
    const addresses = multiaddrs.join('\n')
    const nowMs = clock.monotonicMs()
    if (sealed?.addresses !== addresses || nowMs - sealed.sealedAtMs >= PEER_RECORD_AGE_MAX_MS) {
      const record = new PeerRecord({ peerId, multiaddrs })
      // of two within a millisecond the later one counts
      if (record.seqNumber <= last) record.seqNumber = last + 1n
      last = record.seqNumber
      const bytes = RecordEnvelope.seal(record, privateKey).then((envelope) => envelope.marshal().subarray())
      sealed = { addresses, sealedAtMs: nowMs, bytes }
    }
    return await sealed.bytes
  }
}
