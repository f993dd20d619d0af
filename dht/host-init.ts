import type { Datastore } from 'interface-datastore'
import type { Clock, Logger, Random } from '#contracts'
import type { Did, KeyPair } from '#did'
import type { Role, TransportFactory } from './libp2p-options.ts'
import type { ListenInit } from './listening.ts'
import type { IpfsHostInit } from './networks.ts'
import type { HostPowers } from './powers.ts'
import type { Reach } from './reach.ts'

/** What a host is made of; the datastore stays the caller's and outlives the host. */
export interface HostComponents {
  /** The device's key: it is the PeerId. */
  readonly keyPair: KeyPair
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly powers?: HostPowers
  /** The key pair of a did, if this device holds it unlocked; its name is then renewed before it expires. */
  readonly signerOf?: (did: Did) => Promise<KeyPair | undefined>
}

/** How a host behaves. */
export interface HostInit extends ListenInit, IpfsHostInit {
  readonly reach: Reach
  /** Multiaddrs of seeds, each ending with `/p2p/` and a peer id. */
  readonly bootstrapPeers: readonly string[]
  /** A `seed` also relays, tells others how they look from outside, and takes many connections. Default: `peer`. */
  readonly role?: Role
  /** The deny list; asked at each connection, so it may change while the host runs. */
  readonly isDenied?: (did: string) => boolean
  /** A limit per address, asked once for each inbound connection with the remote multiaddr. */
  readonly allowInbound?: (remoteAddress: string) => boolean
  /** Multiaddrs to announce beside those listened on, such as a public name. */
  readonly announce?: readonly string[]
  /** Multiaddrs of relays to hold a reservation at, with `/p2p/…`. Default: the seeds, for reach `public`. */
  readonly relays?: readonly string[]
  /** Look for peers on the local network. Default: unless the reach is `local`. */
  readonly mdns?: boolean
  /** Instead of TCP, WebSockets and relays: for simulations. */
  readonly transports?: readonly TransportFactory[]
  /** Check idle connections for being alive. Default: true, but not with `transports`. */
  readonly connectionMonitor?: boolean
  /** The version that peers see. */
  readonly version?: string
}
