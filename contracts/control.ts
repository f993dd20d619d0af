/**
 * The control protocol between a command and the node it talks to: JSON-RPC 2.0, a message a line, over a Unix
 * socket that only the owner may open. See docs/protocols/control.md.
 */
import type { AuditEvent, GrantControlMethods } from './control-grants.ts'

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
}

/** Which tool server to start. */
export interface ToolServerParams {
  readonly target: string
  readonly dev?: boolean
  /** Whether there is a person at a terminal who can be asked what it may do. */
  readonly canAsk?: boolean
  readonly deadlineMs?: number
}

/** A tool, in its server's own words. */
export interface ToolStatus {
  readonly name: string
  readonly title?: string
  readonly description?: string
  /** JSON Schema of its arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** What a tool answered. */
export interface ToolAnswer {
  /** Parts of the answer: text, or another kind with its own fields. */
  readonly content: readonly {
    readonly type: string
    readonly text?: string
    readonly [more: string]: unknown
  }[]
  readonly structuredContent?: Readonly<Record<string, unknown>>
  /** The tool itself says that it failed. */
  readonly isError: boolean
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

/** Lines of a capsule's log. */
export interface LogEvent {
  readonly kind: 'log'
  readonly lines: readonly CapsuleLogLine[]
}

/** A capsule was started; its number names it to `capsule.resize`. */
export interface RunEvent {
  readonly kind: 'run'
  readonly run: number
}

/** A capsule wants its user's keys one by one and not shown, or lines again. */
export interface TerminalEvent {
  readonly kind: 'terminal'
  readonly isRaw: boolean
}

/** A capsule asks for something, and somebody is asked about it. */
export interface QuestionEvent {
  readonly kind: 'question'
  readonly question: QuestionStatus
}

/** A question that was shown is no longer open. */
export interface QuestionEndEvent {
  readonly kind: 'question-end'
  readonly id: string
}

/** A capsule asked and nobody could be asked about it. */
export interface QuestionMissedEvent {
  readonly kind: 'question-missed'
  readonly question: QuestionStatus
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
  | QuestionEvent
  | QuestionEndEvent
  | QuestionMissedEvent
  | AuditEvent
  | RoomControlEvent

/** What a caller may send into a call that is under way. */
export type ControlInput =
  | { readonly kind: 'stdin'; readonly base64: string }
  | { readonly kind: 'stdin-end' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'nick'; readonly nick: string }

/** A pinned root. */
export interface PinStatus {
  readonly cid: string
  readonly name?: string
  readonly isPublic: boolean
  readonly bytes?: number
  readonly createdAtMs: number
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
  /** False when nobody took the provider record yet; it is tried again by itself. */
  readonly isAnnounced: boolean
  /** Why not. */
  readonly announcePending?: string
}

/** A capsule whose signature and bytes were verified. */
export interface CapsuleStatus {
  readonly cid: string
  readonly root: string
  readonly publisher?: string
  readonly name: string
  readonly version: string
  readonly bytes: number
  readonly files: number
  readonly isSigned: boolean
}

/** What a capsule may ever ask for. Reasons are their author's claims. */
export interface CeilingStatus {
  readonly capabilities: readonly {
    readonly command: string
    readonly resource: string
    readonly reason: string
  }[]
  readonly requires: readonly { readonly contract: string; readonly capsule?: string | undefined }[]
  readonly provides: readonly string[]
  readonly powers: readonly string[]
  /** Whether it wants the files of its lineage as a folder. */
  readonly files: boolean
}

/** What installing a capsule, or updating to it, would mean. */
export interface CapsulePlanStatus {
  /** `same`: this very version is installed. */
  readonly kind: 'install' | 'update' | 'same'
  readonly capsule: CapsuleStatus
  readonly lineage: string
  /** What it would be called here. */
  readonly alias: string
  /** The lineage that is called so already. */
  readonly aliasTakenBy?: string
  /** The version that runs now. */
  readonly from?: string
  readonly isOlder: boolean
  readonly description?: string
  /** All it may ever ask for. */
  readonly ceiling: CeilingStatus
  /** What of that is new; all of it for an install. */
  readonly added: CeilingStatus
  /** False when nothing is new, and nobody need be asked. */
  readonly needsConsent: boolean
}

/** One kept version of an installed capsule. */
export interface CapsuleVersionStatus {
  readonly cid: string
  readonly version: string
  readonly installedAtMs: number
  readonly isCurrent: boolean
  /** Whether its state can be brought back with it. */
  readonly hasState: boolean
}

/** An installed capsule. */
export interface InstalledStatus {
  readonly alias: string
  readonly lineage: string
  readonly publisher: string
  readonly name: string
  readonly version: string
  readonly cid: string
  readonly installedAtMs: number
  readonly running: number
  readonly versions: readonly CapsuleVersionStatus[]
}

/** What a change of the installed capsules did. */
export interface CapsuleChangeStatus {
  readonly capsule: InstalledStatus
  /** How many runs of it were ended for that. */
  readonly stopped: number
  readonly isStateRestored: boolean
}

/** A capsule that runs, and what it uses. */
export interface RunningStatus {
  readonly run: number
  readonly alias?: string
  readonly lineage: string
  readonly name: string
  readonly version: string
  readonly isDetached: boolean
  readonly upMs: number
  readonly pid?: number
  /** Absent where the system does not tell. */
  readonly cpuSeconds?: number
  readonly memoryBytes?: number
  readonly processes?: number
  readonly calls: number
  readonly bytesIn: number
  readonly bytesOut: number
}

/** One line of a capsule's log. */
export interface CapsuleLogLine {
  readonly timeMs: number
  readonly run: number
  readonly from: 'host' | 'stdout' | 'stderr'
  readonly text: string
}

/** What a capsule asked for. Its reasons are claims. */
export interface QuestionStatus {
  readonly id: string
  readonly lineage: string
  readonly name: string
  readonly version: string
  /** Who signed it; absent for the owner's own from a folder. */
  readonly publisher?: string
  /** What the owner calls that publisher. */
  readonly petname?: string
  readonly command: string
  /** What the command does, in the words of its contract. */
  readonly summary?: string
  readonly resource: string
  readonly pick?: 'file' | 'folder' | 'person' | 'room'
  readonly choices: readonly { readonly label: string; readonly resource: string }[]
  readonly reason?: string
  readonly manifestReason?: string
  readonly askedAtMs: number
  readonly expiresAtMs: number
  /** Whether the capsule still waits; else an answer is for the next time it asks. */
  readonly isWaiting: boolean
}

/** What a person answers. */
export type QuestionAnswer =
  | {
      readonly isAllowed: true
      readonly scope: 'once' | 'session' | 'day' | 'always'
      /** Narrower than what was asked for. */
      readonly resource?: string | undefined
    }
  | {
      readonly isAllowed: false
      /** Never ask this again. */
      readonly isDurable: boolean
      /** Nor anything else in this run. */
      readonly isAll?: boolean | undefined
    }

/** Who serves a contract to the capsules of this device. */
export interface ProviderStatus {
  readonly contract: string
  readonly lineage: string
  /** What of the host it is given for that. */
  readonly powers: readonly string[]
  /** Whether it came with the release. */
  readonly isShipped: boolean
}

/** A name in the owner's own address book. */
export interface ContactStatus {
  readonly petname: string
  readonly did: string
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
export interface ControlMethods extends GrantControlMethods {
  'node.status': { params: Record<string, never>; result: NodeStatus }
  'node.peers': { params: Record<string, never>; result: { peers: PeerStatus[] } }
  'node.connect': { params: { address: string }; result: { peerId: string } }
  'node.stop': { params: Record<string, never>; result: { pid: number } }
  'content.add': {
    params: { path: string; private?: boolean; hidden?: boolean; name?: string }
    result: AddStatus
  }
  'content.get': {
    params: { target: string; output: string; force?: boolean; deadlineMs?: number }
    result: { cid: string; output: string; bytes: number; files: number }
  }
  'content.list': { params: { target: string }; result: { entries: EntryStatus[]; isCut: boolean } }
  'content.pins': { params: Record<string, never>; result: { pins: PinStatus[]; isCut: boolean } }
  'content.pin': { params: { target: string; private?: boolean; name?: string }; result: PinStatus }
  'content.unpin': { params: { target: string }; result: { cid: string } }
  'capsule.publish': {
    params: { folder: string; first?: boolean }
    result: CapsuleStatus & { line: string; sequence: number; isAnnounced: boolean }
  }
  'capsule.verify': { params: { target: string }; result: CapsuleStatus }
  'capsule.run': {
    params: {
      target: string
      args: string[]
      dev?: boolean
      detach?: boolean
      /** Whether there is a person at a terminal who can be asked what it may do. */
      canAsk?: boolean
      /** The size of a terminal that it may draw on. */
      terminal?: { columns: number; rows: number }
      deadlineMs?: number
      /** Records the run into a new file; `input` says whether standard input is kept. */
      record?: { path: string; input: boolean }
    }
    /** `run` is set for one that was left running, `trace` for one that was recorded. */
    result: {
      exitCode: number
      capsule: CapsuleStatus
      run?: number
      trace?: { path: string; isCut: boolean }
    }
  }
  /** Runs a recorded run again from its trace. `code` is how it ended when it did not exit. */
  'capsule.replay': {
    params: { path: string }
    result: { name: string; version: string; exitCode: number; code?: string; isWhole: boolean }
  }
  /** What a tool server in a capsule can do. */
  'capsule.tools': { params: ToolServerParams; result: { capsule: CapsuleStatus; tools: ToolStatus[] } }
  /** Has a tool server in a capsule do something. */
  'capsule.call': {
    params: ToolServerParams & { tool: string; arguments: Readonly<Record<string, unknown>> }
    result: { capsule: CapsuleStatus } & ToolAnswer
  }
  'capsule.resize': { params: { run: number; columns: number; rows: number }; result: Record<string, never> }
  'capsule.plan': {
    params: { target: string; as?: string; installed?: boolean; deadlineMs?: number }
    result: CapsulePlanStatus
  }
  'capsule.install': { params: { cid: string; as?: string }; result: CapsuleChangeStatus }
  'capsule.providers': { params: Record<string, never>; result: { providers: ProviderStatus[] } }
  /** Without a name the capsule of the release serves it again. */
  'capsule.provide': {
    params: { contract: string; name?: string; powers?: string[] }
    result: ProviderStatus
  }
  'capsule.list': { params: Record<string, never>; result: { capsules: InstalledStatus[] } }
  'capsule.inspect': {
    params: { name: string }
    result: InstalledStatus & {
      description?: string
      ceiling: CeilingStatus
      limits: Readonly<Record<string, number>>
      stateBytes?: number
    }
  }
  'capsule.logs': {
    params: { name: string; lines: number; follow?: boolean }
    result: { lineage: string; lines: CapsuleLogLine[] }
  }
  'capsule.top': { params: Record<string, never>; result: { running: RunningStatus[] } }
  'capsule.stop': { params: { name?: string; run?: number }; result: { stopped: RunningStatus[] } }
  'capsule.rollback': { params: { name: string; version?: string }; result: CapsuleChangeStatus }
  'capsule.remove': { params: { name: string; data?: boolean }; result: CapsuleChangeStatus }
  'grant.pending': { params: Record<string, never>; result: { questions: QuestionStatus[] } }
  'grant.answer': { params: { id: string; answer: QuestionAnswer }; result: { isWaiting: boolean } }
  'name.resolve': {
    params: { name: string }
    result: { cid: string; sequence: string; validUntilMs?: number }
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
  'deny.list': { params: Record<string, never>; result: { subjects: string[] } }
  'chat.join': { params: { room: string; nick: string }; result: { room: string } }
}

/** The name of a method. */
export type ControlMethod = keyof ControlMethods
/** Parameters of one method. */
export type ControlParams<M extends ControlMethod> = ControlMethods[M]['params']
/** Result of one method. */
export type ControlResult<M extends ControlMethod> = ControlMethods[M]['result']
