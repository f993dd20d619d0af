import type { ConnectionGater, PeerId } from '@libp2p/interface'
import { didFromPeerId } from '#did'
import { addressKind, mayAccept, mayDial } from './reach.ts'
import type { Reach } from './reach.ts'

/** Who decides about connections beside the reach. */
export interface GaterInit {
  readonly reach: Reach
  /** The deny list: a denied did is neither dialled nor let in. */
  readonly isDenied?: (did: string) => boolean
  /** A limit per address, asked once for each new connection; the argument is a multiaddr. */
  readonly allowInbound?: (remoteAddress: string) => boolean
}

/** A connection gater that holds the reach, the deny list and the limit per address. */
export function createGater({ reach, isDenied, allowInbound }: GaterInit): ConnectionGater {
  const denied = (peerId: PeerId): boolean => isDenied !== undefined && peerDenied(peerId, isDenied)
  return {
    denyDialPeer: denied,
    denyDialMultiaddr: (address) => !mayDial(address),
    denyInboundConnection: ({ remoteAddr }) => {
      if (!mayAccept(reach, remoteAddr)) return true
      if (allowInbound === undefined || addressKind(remoteAddr) === 'relay') return false
      return !allowInbound(remoteAddr.toString())
    },
    denyInboundEncryptedConnection: denied,
    denyOutboundEncryptedConnection: denied,
    denyInboundRelayReservation: denied,
    denyInboundRelayedConnection: (_relay, remotePeer) => denied(remotePeer),
    denyOutboundRelayedConnection: (source, destination) => denied(source) || denied(destination),
    filterMultiaddrForPeer: (_peer, address) => mayDial(address)
  }
}

function peerDenied(peerId: PeerId, isDenied: (did: string) => boolean): boolean {
  // only Ed25519 peers have a did:key here; others are no peers of this network but may serve the IPFS DHT
  if (peerId.type !== 'Ed25519') return false
  return isDenied(didFromPeerId(peerId.toString()))
}
