/**
 * The control protocol between a command and the node it talks to: JSON-RPC 2.0, a message a line, over a Unix
 * socket that only the owner may open. See docs/protocols/control.md.
 */
import type {
  CapsuleControlMethods,
  LogEvent,
  QuestionEndEvent,
  QuestionEvent,
  QuestionMissedEvent,
  RunEvent,
  TerminalEvent,
  TypingEvent
} from './control-capsules.ts'
import type { DhtControlMethods, NameEvent } from './control-dht.ts'
import type { ReplicaControlMethods } from './control-replicas.ts'
import type { AuditEvent, GrantControlMethods } from './control-grants.ts'
import type { GuestControlMethods } from './control-guests.ts'

/** Limits of the control protocol. */
export interface ControlLimits {
  /** A line, both ways. */
  readonly lineBytesMax: number
  /** Bytes of input or output that ride in one message, before base64. */
  readonly chunkBytesMax: number
  /** Calls one connection may have under way. */
  readonly callsMax: number
  /** Connections the node accepts at a time. */
  readonly connectionsMax: number
}

/** The limits both sides keep. */
export const CONTROL_LIMITS: ControlLimits = {
  lineBytesMax: 1024 * 1024,
  chunkBytesMax: 48 * 1024,
  callsMax: 16,
  connectionsMax: 64
}

/** Version of the control protocol; a node refuses a client of another one. */
export const CONTROL_VERSION = 1

/** How far a node listens and dials. */
export type ControlReach = 'local' | 'lan' | 'public'

/** What `node.status` answers. */
export interface NodeStatus {
  readonly version: string
  readonly pid: number
  readonly role: 'peer' | 'seed'
  readonly did: string
  readonly personDid: string
  readonly peerId: string
  readonly reach: ControlReach
  readonly addresses: readonly string[]
  readonly dataFolder: string
  readonly peerCount: number
  readonly uptimeMs: number
  /** Set when the default port was taken and another was used. */
  readonly portFallback?: { readonly wanted: number }
  /** What would let this node reach others, when it reaches nobody. */
  readonly advice?: string
  /** Where a seed serves its bootstrap record, pinned to its did. */
  readonly bootstrapUrl?: string
  /** Where a seed serves its metrics. */
  readonly metricsUrl?: string
  /** Who decides what capsules may do: a person, or nobody. */
  readonly shell: 'prompt' | 'auto'
  /** Whether a room was ever used here; the first time, who can listen is said. */
  readonly hasChatted: boolean
  /** True until the owner has written down the recovery words. */
  readonly wordsPending: boolean
  /** Content sent to and received from peers since the start, and the caps of it. */
  readonly traffic: TrafficStatus
}

/** What travels between a node and its peers over the protocols that carry content. */
export interface TrafficStatus {
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Bytes a second that may be sent at most; absent without a cap. */
  readonly uploadMax?: number
  /** Bytes a second that may be received at most. */
  readonly downloadMax?: number
}

/** One connected peer. */
export interface PeerStatus {
  readonly peerId: string
  readonly did?: string
  readonly addresses: readonly string[]
  readonly direction: 'inbound' | 'outbound'
  readonly openedMsAgo: number
}

/** Progress of a transfer, in bytes and files done so far; `totalBytes` when it is known. */
export interface TransferProgress {
  readonly kind: 'progress'
  readonly phase: string
  readonly bytes: number
  readonly totalBytes?: number
  readonly files?: number
}

/** A note to the person, such as a privacy notice. */
export interface NoticeEvent {
  readonly kind: 'notice'
  readonly text: string
}

/** A piece of a capsule's output. */
export interface OutputEvent {
  readonly kind: 'output'
  readonly stream: 'stdout' | 'stderr'
  readonly base64: string
}

/** Anything that happens in a room, as the room reports it. */
export interface RoomControlEvent {
  readonly kind: 'room'
  readonly event: Readonly<Record<string, unknown>>
}

/** An event that a call sends before its result. */
export type ControlEvent =
  | TransferProgress
  | NoticeEvent
  | OutputEvent
  | LogEvent
  | RunEvent
  | TerminalEvent
  | TypingEvent
  | QuestionEvent
  | QuestionEndEvent
  | QuestionMissedEvent
  | AuditEvent
  | NameEvent
  | RoomControlEvent
  | RowsEvent

/** Rows of a list that come before the last of them, which are the answer. */
export interface RowsEvent {
  readonly kind: 'rows'
  readonly entries?: readonly EntryStatus[]
  readonly pins?: readonly PinStatus[]
  readonly subjects?: readonly string[]
}

/** What a caller may send into a call that is under way. */
export type ControlInput =
  | { readonly kind: 'stdin'; readonly base64: string }
  | { readonly kind: 'stdin-end' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'nick'; readonly nick: string }
  /** Words for one person, by their did. */
  | { readonly kind: 'direct'; readonly to: string; readonly text: string }

/** A pinned root. */
export interface PinStatus {
  readonly cid: string
  readonly name?: string
  readonly isPublic: boolean
  readonly bytes?: number
  readonly createdAtMs: number
}

/** What the block store holds. */
export interface RepoStatus {
  readonly blocks: number
  /** Bytes of the blocks with what is kept beside each. */
  readonly bytes: number
  readonly bytesOnDisk: number
  readonly packs: number
  readonly pins: number
}

/** What a verification of the block store found; at most 1000 of each list. */
export interface RepoVerifyStatus {
  readonly blocks: number
  readonly bytes: number
  readonly pins: number
  /** Blocks that did not hash to their names and were removed. */
  readonly corrupt: readonly string[]
  /** Pins of which blocks are missing. */
  readonly incomplete: readonly { readonly cid: string; readonly name?: string; readonly missing: number }[]
}

/** What came out of a CAR. */
export interface CarImportStatus {
  readonly version: 1 | 2
  readonly blocks: number
  readonly bytes: number
  readonly roots: readonly { readonly cid: string; readonly missing: number; readonly isPinned: boolean }[]
}

/** A file or folder inside a root. */
export interface EntryStatus {
  readonly name: string
  readonly cid: string
  readonly type: 'file' | 'directory' | 'symlink'
  readonly bytes: number
}

/** What `content.add` answers. */
export interface AddStatus {
  readonly cid: string
  readonly bytes: number
  readonly files: number
  readonly isPublic: boolean
  readonly skipped: readonly string[]
  /** Of sealed content: what `content.get` needs to read it. A secret. */
  readonly link?: string
  /** False when nobody took the provider record yet; it is tried again by itself. */
  readonly isAnnounced: boolean
  /** Why not. */
  readonly announcePending?: string
}

/** A name in the owner's own address book. */
export interface ContactStatus {
  readonly petname: string
  readonly did: string
}

/** What can be done about the moderation of a room. */
export type ModerationAction =
  'list' | 'follow' | 'unfollow' | 'mute' | 'unmute' | 'remove' | 'restore' | 'appoint' | 'dismiss'

/** Whose lists are followed in a room, and the lists that hold now. */
export interface RoomModerationStatus {
  readonly followed: readonly string[]
  readonly lists: readonly {
    readonly author: string
    readonly isOwn: boolean
    readonly isFollowed: boolean
    readonly expiresAtMs: number
    readonly appointed: readonly string[]
    /** Until when, in milliseconds since the Unix epoch; for as long as the list holds when absent. */
    readonly muted: readonly { readonly did: string; readonly untilMs?: number }[]
    /** Ids of messages. */
    readonly removed: readonly string[]
  }[]
}

/** A private room or a direct conversation of this device. */
export interface PrivateRoomStatus {
  readonly kind: 'direct' | 'room'
  /** The name of a room; empty for a direct conversation. */
  readonly name: string
  /** What tells it from all others: 64 hexadecimal digits. */
  readonly group: string
  /** Who is in, each person once. */
  readonly persons: readonly string[]
  readonly devices: number
  /** Whether this device takes part now. */
  readonly isIn: boolean
}

/** A device of the owner. */
export interface DeviceStatus {
  readonly device: string
  readonly name?: string
  readonly isRevoked: boolean
  /** When it was certified or revoked; unknown for some that another device revoked. */
  readonly atMs?: number
  readonly isThis: boolean
}

/** What adding a device did. */
export interface DeviceAddStatus {
  readonly device: string
  readonly person: string
  /** Whether the device has its certificate; if not, `certificate` is to be pasted there. */
  readonly isDelivered: boolean
  readonly certificate: string
  /** False when the list of devices is not in the network yet; it is tried again by itself. */
  readonly isPublished: boolean
}

/** Every method: its parameters and its result. */
export interface ControlMethods
  extends
    CapsuleControlMethods,
    DhtControlMethods,
    GrantControlMethods,
    GuestControlMethods,
    ReplicaControlMethods {
  'node.status': { params: Record<string, never>; result: NodeStatus }
  'node.peers': { params: Record<string, never>; result: { peers: PeerStatus[]; isCut: boolean } }
  'node.connect': { params: { address: string }; result: { peerId: string } }
  'node.stop': { params: Record<string, never>; result: { pid: number } }
  'content.add': {
    params: { path: string; private?: boolean; hidden?: boolean; sealed?: boolean; name?: string }
    result: AddStatus
  }
  'content.get': {
    params: {
      target: string
      output: string
      force?: boolean
      deadlineMs?: number
      /** Only these bytes of a file, as far as it goes. */
      range?: { offset: number; length: number }
    }
    result: { cid: string; output: string; bytes: number; files: number }
  }
  /** With `all` what does not fit into one message comes before the answer, as events. */
  'content.list': {
    params: { target: string; all?: boolean }
    result: { entries: EntryStatus[]; isCut: boolean }
  }
  'content.pins': { params: { all?: boolean }; result: { pins: PinStatus[]; isCut: boolean } }
  'content.pin': { params: { target: string; private?: boolean; name?: string }; result: PinStatus }
  /**
   * `copiesGoal`: copies that others still keep for you; `prepared`: how many of these can be challenged without it;
   * `isKeptForOthers`: an agreement keeps it here all the same.
   */
  'content.unpin': {
    params: { target: string }
    result: { cid: string; copiesGoal: number; prepared: number; isKeptForOthers: boolean }
  }
  'repo.stat': { params: Record<string, never>; result: RepoStatus }
  'repo.verify': { params: Record<string, never>; result: RepoVerifyStatus }
  'repo.gc': {
    params: Record<string, never>
    result: { blocksKept: number; blocksRemoved: number; bytesFreed: number }
  }
  'repo.export': {
    params: { target: string; output: string; force?: boolean; version?: 1 | 2; partial?: boolean }
    result: { cid: string; output: string; blocks: number; bytes: number; missing: number }
  }
  'repo.import': {
    params: { path: string; pin?: boolean; private?: boolean; name?: string }
    result: CarImportStatus
  }
  'contact.add': { params: ContactStatus; result: ContactStatus }
  'contact.remove': { params: { petname: string }; result: { petname: string } }
  'contact.list': { params: Record<string, never>; result: { contacts: ContactStatus[] } }
  'device.list': { params: Record<string, never>; result: { devices: DeviceStatus[] } }
  'device.add': { params: { code: string; name?: string; first?: boolean }; result: DeviceAddStatus }
  'device.revoke': {
    params: { device: string; first?: boolean }
    result: { device: string; told: number; isPublished: boolean }
  }
  'deny.add': { params: { subject: string }; result: { subject: string } }
  'deny.remove': { params: { subject: string }; result: { subject: string } }
  'deny.list': { params: { all?: boolean }; result: { subjects: string[]; isCut: boolean } }
  'chat.join': { params: { room: string; nick: string; isPrivate?: boolean }; result: { room: string } }
  'room.list': { params: Record<string, never>; result: { rooms: PrivateRoomStatus[] } }
  'room.create': { params: { name: string }; result: PrivateRoomStatus }
  'room.invite': { params: { room: string; person: string }; result: { room: string; person: string } }
  'room.remove': { params: { room: string; person: string }; result: { room: string; person: string } }
  'room.moderate': {
    params: { room: string; action: ModerationAction; subject?: string; untilMs?: number }
    result: RoomModerationStatus
  }
  'room.leave': { params: { room: string }; result: { room: string } }
}

/** The name of a method. */
export type ControlMethod = keyof ControlMethods
/** Parameters of one method. */
export type ControlParams<M extends ControlMethod> = ControlMethods[M]['params']
/** Result of one method. */
export type ControlResult<M extends ControlMethod> = ControlMethods[M]['result']
