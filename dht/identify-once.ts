import { identify } from '@libp2p/identify'
import type { Libp2p, PeerId, PeerStore, PrivateKey } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { CODE_P2P, type Multiaddr } from '@multiformats/multiaddr'

/** What of libp2p says who and where this node is, and keeps what others say. */
interface IdentifyComponents {
  readonly peerId: PeerId
  readonly privateKey: PrivateKey
  readonly peerStore: PeerStore
  readonly addressManager: { getAddresses(): Multiaddr[] }
  readonly events: Pick<Libp2p, 'addEventListener'>
}

type IdentifyService = ReturnType<ReturnType<typeof identify>>

interface SealedRecord {
  readonly addresses: string
  readonly seqNumber: bigint
  readonly bytes: Promise<Uint8Array>
}

/**
 * identify that signs where this node is once for each set of addresses. libp2p signs it anew for everybody who asks, under the
 * time of that moment as its number, so that whoever comes back has to check and to write down the same addresses once more.
 */
export function identifyOnce(): (components: IdentifyComponents) => IdentifyService {
  const create = identify({ runOnLimitedConnection: true })
  return (components) => {
    const { peerId, peerStore } = components
    const current = sealing(components)
    const seen: Pick<PeerStore, 'get' | 'patch' | 'merge'> = {
      get: async (id, options) => {
        const peer = await peerStore.get(id, options)
        if (!id.equals(peerId) || peer.peerRecordEnvelope !== undefined) return peer
        const peerRecordEnvelope = await current()
        return peerRecordEnvelope === undefined ? peer : { ...peer, peerRecordEnvelope }
      },
      patch: async (...given) => await peerStore.patch(...given),
      merge: async (...given) => await peerStore.merge(...given)
    }
    const service = create(components as unknown as Parameters<typeof create>[0])
    const shown = new Proxy(components, {
      get: (target, key): unknown => (key === 'peerStore' ? seen : Reflect.get(target, key))
    })
    // nothing else of it uses the peer store; held by the test of this file
    return Object.assign(service, { components: shown })
  }
}

/** What this node signed about where it is now; nothing while it is nowhere. */
function sealing({
  peerId,
  privateKey,
  addressManager
}: IdentifyComponents): () => Promise<Uint8Array | undefined> {
  let sealed: SealedRecord | undefined
  return async () => {
    const multiaddrs = addressManager.getAddresses().map((address) => address.decapsulateCode(CODE_P2P))
    if (multiaddrs.length === 0) return undefined
    const addresses = multiaddrs.join('\n')
    if (sealed?.addresses !== addresses) {
      const record = new PeerRecord({ peerId, multiaddrs })
      // of two within a millisecond the later one counts
      const last = sealed?.seqNumber ?? 0n
      if (record.seqNumber <= last) record.seqNumber = last + 1n
      const bytes = RecordEnvelope.seal(record, privateKey).then((envelope) => envelope.marshal().subarray())
      sealed = { addresses, seqNumber: record.seqNumber, bytes }
    }
    return await sealed.bytes
  }
}
