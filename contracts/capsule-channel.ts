/**
 * The runtime channel of a capsule, descriptor 3: JSON-RPC 2.0, a message a line, no batches, both ways. Types and
 * limits only, so that an SDK can take them; the host's schemas are its own. See docs/protocols/capsule-channel.md.
 */

/** Limits of the runtime channel. */
export interface CapsuleChannelLimits {
  /** A line, both ways, its newline not counted. */
  readonly lineBytesMax: number
  /** Characters of a request's id, when it is text. */
  readonly idLengthMax: number
  /** Requests of a capsule that are not answered yet; the next one is refused with `ERR_CHANNEL_BUSY`. */
  readonly requestsMax: number
  /** Requests of the host that a provider capsule has not answered yet; more wait in the host. */
  readonly provideRequestsMax: number
  /** Streams a capsule may have opened at a time. */
  readonly streamsMax: number
  /** Streams that others may have opened at a provider capsule at a time. */
  readonly provideStreamsMax: number
  /** Items one side may allow the other ahead, on one stream. */
  readonly creditMax: number
  /** Characters of a reason a capsule gives for wanting a capability. */
  readonly reasonLengthMax: number
  /** Characters of a line a capsule writes to its log. */
  readonly logLengthMax: number
}

/** The limits both sides keep. */
export const CAPSULE_CHANNEL_LIMITS: CapsuleChannelLimits = {
  lineBytesMax: 64 * 1024,
  idLengthMax: 128,
  requestsMax: 16,
  provideRequestsMax: 8,
  streamsMax: 16,
  provideStreamsMax: 32,
  creditMax: 16,
  reasonLengthMax: 280,
  logLengthMax: 1024
}

/** Version of the channel's messages. */
export const CAPSULE_CHANNEL_VERSION = 1

/** A request's id. Fractions and null are refused. */
export type CapsuleRequestId = string | number

/** What one side asks of the other. Each side numbers its own requests. */
export interface CapsuleRequest {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId
  readonly method: string
  readonly params?: unknown
}

/** What one side tells the other; nobody answers. */
export interface CapsuleNotification {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: unknown
}

/** The answer of a side that did what was asked. */
export interface CapsuleResult {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId
  readonly result: unknown
}

/** The answer of a side that did not. Only the code says why; nothing of the host crosses with it. */
export interface CapsuleFailure {
  readonly jsonrpc: '2.0'
  readonly id: CapsuleRequestId | null
  readonly error: {
    readonly code: number
    readonly message: string
    readonly data: { readonly code: string }
  }
}

/** Numbers of {@link CapsuleFailure}; the first four are JSON-RPC's own. */
export const CAPSULE_CHANNEL_ERROR = {
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** No token allows it, or somebody said no. */
  capabilityDenied: -32001,
  /** More under way than a bound allows: try again later. */
  busy: -32002,
  /** What should have done it is not there. */
  unavailable: -32003,
  /** Whoever should have done it could not. */
  failed: -32004
} as const

/** Codes with which the host refuses a request, beside the `ERR_TOKEN_…` of the token that was not good enough. */
export type CapsuleChannelCode =
  /** Not a request of JSON-RPC 2.0. */
  | 'ERR_CHANNEL_REQUEST'
  /** There is no such method. */
  | 'ERR_CHANNEL_METHOD'
  /** The parameters are not those of the method or command. */
  | 'ERR_CHANNEL_PARAMS'
  /** `initialize` did not come first, or came twice. */
  | 'ERR_CHANNEL_STATE'
  /** None of the versions the capsule speaks is spoken here. */
  | 'ERR_CHANNEL_VERSION'
  /** Too many requests or streams under way. */
  | 'ERR_CHANNEL_BUSY'
  /** More was sent on a stream than the other side allowed. */
  | 'ERR_STREAM_CREDIT'
  /** Nobody granted it. */
  | 'ERR_CAPABILITY_MISSING'
  /** Its user said no. */
  | 'ERR_CAPABILITY_DENIED'
  /** The capsule's manifest does not list it, so it can never be granted. */
  | 'ERR_CAPABILITY_CEILING'
  /** A question of this capsule is still open. */
  | 'ERR_CAPABILITY_PENDING'
  /** Nobody answered the question in time. */
  | 'ERR_CAPABILITY_UNANSWERED'
  /** The capsule holds no such token. */
  | 'ERR_CAPABILITY_UNKNOWN'
  /** A delegation would allow more than its token. */
  | 'ERR_CAPABILITY_WIDER'
  /** No contract has such a command, or the manifest does not require its contract. */
  | 'ERR_PROVIDER_COMMAND'
  /** Nobody on this device provides the contract. */
  | 'ERR_PROVIDER_NONE'
  /** Providers call each other in a circle. */
  | 'ERR_PROVIDER_CYCLE'
  /** The provider ended before it answered. */
  | 'ERR_PROVIDER_GONE'
  /** The provider took too long. */
  | 'ERR_PROVIDER_TIME_LIMIT'
  /** The provider's answer breaks its contract. */
  | 'ERR_PROVIDER_ANSWER'
  /** The provider failed and its contract has no code for how. */
  | 'ERR_PROVIDER_FAILED'
  /** The capsule was not given such a power, or not for this call. */
  | 'ERR_POWER_NONE'
  /** The capsule has no terminal. */
  | 'ERR_TERMINAL_NONE'
  /** The capsule cancelled its request. */
  | 'ERR_CANCELLED'
  /** The session is over. */
  | 'ERR_SESSION_ENDED'
  /** A fault of the host. */
  | 'ERR_INTERNAL'

/** A provider's contract and its major version, as a manifest names it: `localhost@1`. */
export type ContractReference = string
/** A command: the contract's name and the verb, `localhost/read`. It is what a token grants. */
export type CommandName = string

/** What a capsule holds. The token itself stays in the host. */
export interface HeldCapability {
  /** The token's CID. */
  readonly token: string
  /** Exact, or ending in `/*`. */
  readonly command: string
  /** Exact, or ending in `/*`. */
  readonly resource: string
  /** Null when it does not expire. */
  readonly expiresAtMs: number | null
  /** Most uses, when they are counted. */
  readonly usesMax?: number
}

/** What the user picks instead of answering yes or no; the answer names the one resource that was picked. */
export type PickKind = 'file' | 'folder' | 'person' | 'room'

/** A terminal's size in characters. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** The terminal of a capsule that has one. */
export interface TerminalStatus extends TerminalSize {
  readonly isRaw: boolean
}

/** Who calls a provider. The host knows it from the channel; nothing of it is the caller's own word. */
export interface CallerIdentity {
  /** Publisher and name, or `dev:…`, which no published capsule has. */
  readonly lineage: string
  readonly name: string
  readonly version: string
  readonly publisher?: string
  /** The did that tokens for this capsule name as their audience, on this device. */
  readonly audience: string
}

/** Requests of a capsule, and what they are answered with. */
export interface CapsuleMethods {
  /** The first request. `versions` are all the capsule speaks. */
  initialize: {
    readonly params: { readonly versions: readonly number[] }
    readonly result: {
      readonly version: number
      readonly capsule: CallerIdentity
      readonly limits: CapsuleChannelLimits
      readonly terminal?: TerminalStatus
    }
  }
  /** Asks for a capability; answered when somebody decided, at once when that was done before. */
  'capability.request': {
    readonly params: {
      readonly command: string
      readonly resource: string
      /** For the person, shown as the author's claim. */
      readonly reason?: string
      /** Lets the person choose one resource under `resource`, which then ends in `/*`. */
      readonly pick?: PickKind
    }
    readonly result: HeldCapability
  }
  'capability.list': {
    readonly params: Readonly<Record<string, never>>
    readonly result: { readonly capabilities: readonly HeldCapability[] }
  }
  /** Gives a capability back, for good. */
  'capability.drop': {
    readonly params: { readonly token: string }
    readonly result: Readonly<Record<string, never>>
  }
  /** Lets another capsule on this device do a part of what this one may; `to` is its lineage. */
  'capability.delegate': {
    readonly params: {
      readonly token: string
      readonly to: string
      readonly command?: string
      readonly resource?: string
      readonly expiresAtMs?: number
      readonly usesMax?: number
    }
    readonly result: { readonly token: string }
  }
  /** Has a provider do something; see the contracts. */
  'provider.call': {
    readonly params: {
      readonly command: CommandName
      readonly params?: unknown
      /** Whose data, when it is another's: the subject of a delegated token. */
      readonly subject?: string
    }
    readonly result: unknown
  }
  /** Opens a stream at a provider. Items come as `stream.next`, as many as `credit` allows. */
  'provider.open': {
    readonly params: {
      readonly command: CommandName
      readonly params?: unknown
      readonly subject?: string
      readonly credit?: number
    }
    readonly result: {
      readonly stream: number
      /** Items the capsule may send; 0 where the command takes none. */
      readonly credit: number
    }
  }
  /** Of a provider capsule that was given a host power: uses it, for the one call or stream it serves. */
  'power.call': {
    readonly params: {
      /** The power and the verb, `disk/read`. */
      readonly command: CommandName
      readonly params?: unknown
      /** The id of the `provide.call`, or the number of the stream, this is for. */
      readonly serving?: ServingReference
    }
    readonly result: unknown
  }
  'power.open': {
    readonly params: {
      readonly command: CommandName
      readonly params?: unknown
      readonly serving?: ServingReference
      readonly credit?: number
    }
    readonly result: { readonly stream: number; readonly credit: number }
  }
  'terminal.get': { readonly params: Readonly<Record<string, never>>; readonly result: TerminalStatus }
  /** Raw: keys come one by one and are not shown. */
  'terminal.raw': { readonly params: { readonly isRaw: boolean }; readonly result: TerminalStatus }
}

/** What a provider capsule is serving when it uses a power. */
export type ServingReference = { readonly call: string } | { readonly stream: number }

/** Requests of the host to a provider capsule, and what it answers. */
export interface ProvideMethods {
  /** Does what the caller was allowed to do. An error's `data.code` is one of the contract's, or tells nothing. */
  'provide.call': { readonly params: ProvideParams; readonly result: unknown }
  /** The provider answers when the stream is open, then sends `stream.next` as far as `credit` allows. */
  'provide.open': {
    readonly params: ProvideParams & {
      readonly stream: number
      /** Items the provider may send at once. */
      readonly credit: number
    }
    readonly result: {
      /** Items it takes at once, for a command that takes any. */
      readonly credit?: number
    }
  }
}

/** What a provider is asked. Command and resource were authorised; `params` keep to the contract. */
export interface ProvideParams {
  readonly command: CommandName
  readonly resource: string
  readonly params: unknown
  readonly caller: CallerIdentity
  /** Whose data: the caller's own audience, or that of whoever delegated. */
  readonly subject: string
}

/** Notifications both ways: the items of a stream and how they are held back. */
export interface StreamNotifications {
  /** One item. Only as many as the receiver allowed. */
  'stream.next': { readonly stream: number; readonly item: unknown }
  /** The receiver allows so many more. */
  'stream.credit': { readonly stream: number; readonly credit: number }
  /** The sender has no more; with a code, because of a failure. The other direction goes on. */
  'stream.end': { readonly stream: number; readonly code?: string }
  /** Nothing more is wanted of the stream, in either direction. */
  'stream.close': { readonly stream: number }
}

/** Notifications of a capsule. */
export interface CapsuleNotifications extends StreamNotifications {
  /** A line for the capsule's log, which its user can read. */
  log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly message: string }
  /** The capsule no longer wants the answer to its request. */
  cancel: { readonly id: CapsuleRequestId }
}

/** Notifications of the host. */
export interface HostNotifications extends StreamNotifications {
  /** A capability this capsule held is gone; `code` says why, such as `ERR_TOKEN_REVOKED`. */
  'capability.revoked': { readonly token: string; readonly code: string }
  'terminal.resize': TerminalSize
  /** The capsule should end within the time; then it is ended. */
  stop: { readonly graceMs: number }
  /** Nobody wants the answer to this request of the host any more. */
  cancel: { readonly id: CapsuleRequestId }
}
