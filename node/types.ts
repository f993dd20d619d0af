import type { Clock, ControlReach, Logger, NodeStatus, Random } from '#contracts'
import type { Content } from '#content'
import type { DnsLinks, Host, PublisherIndex, ResolveTxt, TransportFactory } from '#dht'
import type { Did, PrivateFiles } from '#did'
import type { Replication, ReplicationLimits } from '#replication'
import type { PrivateRooms, Rooms } from '#rooms'
import type { ShellMode } from '#shell'
import type { Datastore } from 'interface-datastore'
import type { CapsuleRuntime } from './capsule-runtime.ts'
import type { Capsules } from './capsules.ts'
import type { Contacts } from './contacts.ts'
import type { Devices } from './devices/devices.ts'
import type { Guests } from './guests.ts'
import type { InstalledCapsules } from './installed-capsules.ts'
import type { NodeProviderChoices } from './provider-choices.ts'
import type { NodeShell } from './shell.ts'

/** What a node is asked to be; everything but the data folder has a default that is safe. */
export interface NodeInit {
  /** The folder everything is kept in; made when it does not exist. */
  readonly dataFolder: string
  /** How far to listen and dial; what was chosen before, else `local`. */
  readonly reach?: ControlReach
  /** Multiaddrs to listen on instead of the default for the reach. */
  readonly listen?: readonly string[]
  /** First peers: multiaddrs, or `http://host:port#did:key:…`; what was given before, else none. */
  readonly bootstrap?: readonly string[]
  /** Whether to meet peers through the public IPFS DHT too; what was chosen before, else not. */
  readonly discover?: 'ipfs' | 'off'
  /** Asked once, when the reach is wider than this device and nothing was chosen: may the IPFS DHT be used to meet peers? */
  readonly askDiscover?: () => Promise<boolean>
  /** Joins the IPFS DHT as a client, the public one or that of the local network. */
  readonly ipfs?: 'wan' | 'lan'
  /** First peers of the IPFS DHT, multiaddrs; its public bootstrap peers when none are given for `wan`. */
  readonly ipfsBootstrap?: readonly string[]
  /** False: content is asked of connected peers only. */
  readonly routing?: boolean
  /** Bytes of content a second to send at most; what was chosen before, else no cap; 0 removes one. */
  readonly uploadMax?: number
  /** The same of what is received. */
  readonly downloadMax?: number
  /** False: no multicast on the local network, whatever the reach. */
  readonly mdns?: boolean
  /** Opens the keys when they are locked. */
  readonly passphrase?: string
  /** Asked for the passphrase when the keys are locked and none was given. */
  readonly askPassphrase?: () => Promise<string | undefined>
  /** Asked whether to trust a seed that was never met and is not pinned; without it such a seed is not used. */
  readonly confirmSeed?: (seed: { url: string; did: string }) => Promise<boolean>
  /** Makes the node a seed. */
  readonly seed?: SeedInit
  /** Who decides what capsules may do: a person (`prompt`, the default), or nobody: `auto` allows everything they ask. */
  readonly shell?: ShellMode
  /** Takes files of capsules that are older than they were: their owner put them back. */
  readonly acceptsOlderFiles?: boolean
  /** The guest of microVMs: its CID, or the did of who publishes it; what was chosen before, else what lies in the data folder. */
  readonly guest?: string
  /** Paces of replication other than the usual ones, for tests. */
  readonly replicaLimits?: Partial<ReplicationLimits>
  /** Aborts the start. */
  readonly signal?: AbortSignal
  /** False: no direct conversations and private rooms, and no prekeys made and published for them. */
  readonly privateRooms?: boolean
  /** Replaces the operating system, for a simulator. */
  readonly powers?: Partial<NodePowers>
}

/** What a seed is asked to be, beyond a node. */
export interface SeedInit {
  /** Where the bootstrap record is served; `127.0.0.1` for reach local, else every address. */
  readonly httpHost?: string
  /** Default 4480; 0 for any free port. */
  readonly httpPort?: number
  /** Port of `/metrics` on loopback, default 4481; 0 for any free port. */
  readonly metricsPort?: number
  /** Multiaddrs to tell others instead of those bound. */
  readonly announce?: readonly string[]
  /** Allows reach local. */
  readonly isDevelopment: boolean
}

/** The outside world of a node. */
export interface NodePowers {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Files only their owner may read: keys, configuration. */
  readonly privateFiles: PrivateFiles
  /** Records, pins and peers; the default is level in the data folder. */
  readonly datastore: Datastore
  /** Blocks in memory instead of files. */
  readonly blocksInMemory: boolean
  /** Network transports instead of TCP and WebSockets. */
  readonly transports: readonly TransportFactory[]
  /** Asks the domain name system instead of the resolver of this machine. */
  readonly resolveTxt: ResolveTxt
  /** False: no control socket. */
  readonly isControlled: boolean
}

/** A running node. Disposing it stops everything it started, in reverse order. */
export interface ElastosNode extends AsyncDisposable {
  readonly did: Did
  readonly personDid: Did
  readonly dataFolder: string
  readonly host: Host
  readonly index: PublisherIndex
  readonly content: Content
  readonly capsules: Capsules
  readonly installed: InstalledCapsules
  readonly shell: NodeShell
  readonly runtime: CapsuleRuntime
  readonly providers: NodeProviderChoices
  readonly guests: Guests
  readonly rooms: Rooms
  /** Direct conversations and rooms by invitation, end to end encrypted. */
  readonly privateRooms: PrivateRooms
  readonly contacts: Contacts
  /** Domains that point to content. */
  readonly dnsLinks: DnsLinks
  readonly devices: Devices
  /** What keeps content on other devices, and theirs on this one. */
  readonly replication: Replication
  /** What it is and does now. */
  status(): NodeStatus
  /** Resolves when somebody asked it to stop through the control socket, or when `signal` aborts. */
  stopped(signal: AbortSignal): Promise<void>
}
