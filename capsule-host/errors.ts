import { CodedError, type CodedErrorOptions } from '#contracts'

/** Why a manifest or a package was refused. */
export type PackageErrorCode =
  /** The manifest breaks its schema, names a key twice or is not JSON. */
  | 'ERR_MANIFEST_INVALID'
  /** The manifest has more bytes than are looked at. */
  | 'ERR_MANIFEST_TOO_LARGE'
  /** The capsule is made for a substrate this node does not have. */
  | 'ERR_SUBSTRATE_UNSUPPORTED'
  /** The package lacks its manifest or its entry, or holds a path that is not plain. */
  | 'ERR_PACKAGE_INVALID'
  /** The package has more files or bytes than a package may. */
  | 'ERR_PACKAGE_TOO_LARGE'
  /** Nobody signed the capsule. */
  | 'ERR_CAPSULE_UNSIGNED'
  /** Somebody else signed the capsule. */
  | 'ERR_CAPSULE_SIGNER'
  /** The capsule is not as it was signed: a signature that does not verify, or bytes that are not what it covers. */
  | 'ERR_CAPSULE_TAMPERED'
  /** The capsule is of another name than was asked for, or its manifest says another than was signed. */
  | 'ERR_CAPSULE_NAME_MISMATCH'
  /** The manifest says another version than was signed. */
  | 'ERR_CAPSULE_VERSION_MISMATCH'

/** Why a WebAssembly module was not admitted. */
export type ModuleErrorCode =
  /** The module is malformed, or lacks `memory` or `_start`. */
  | 'ERR_MODULE_INVALID'
  /** The module has more bytes than a module may. */
  | 'ERR_MODULE_TOO_LARGE'
  /** The module imports something that is no function of WASI preview 1. */
  | 'ERR_MODULE_IMPORT'
  /** The module uses garbage collection, tags, shared or 64-bit memory, or several memories. */
  | 'ERR_MODULE_FEATURE'

/** Why a capsule could not start, or was ended. */
export type RunErrorCode =
  /** This machine cannot hold a capsule; the detail says what mends that. */
  | 'ERR_SANDBOX_UNAVAILABLE'
  /** More or longer arguments than a capsule can be given. */
  | 'ERR_CAPSULE_ARGUMENTS'
  /** The capsule used up its processor time, or ran longer than it may. */
  | 'ERR_CAPSULE_TIME_LIMIT'
  /** The capsule used up its memory, or would start with more than it may have. */
  | 'ERR_CAPSULE_MEMORY_LIMIT'
  /** The capsule wrote more than it may. */
  | 'ERR_CAPSULE_OUTPUT_LIMIT'
  /** The capsule tried for a minute without a pause to send more in a second than it may. */
  | 'ERR_CAPSULE_RATE_LIMIT'
  /** The capsule broke the rules of its runtime channel. */
  | 'ERR_CAPSULE_CHANNEL'
  /** The program trapped, such as by reaching `unreachable` or an address outside its memory. */
  | 'ERR_CAPSULE_TRAP'
  /** The capsule's process ended without saying how its program did. */
  | 'ERR_CAPSULE_CRASHED'
  /** Its owner ended the capsule. */
  | 'ERR_CAPSULE_STOPPED'
  /** Nobody takes the capsule's output any more. */
  | 'ERR_CAPSULE_OUTPUT_CLOSED'

/** Why a run could not be recorded or replayed. */
export type TraceErrorCode =
  /** The file is no trace, or one of another version. */
  | 'ERR_TRACE_INVALID'
  /** The trace cannot be written or read where it should be. */
  | 'ERR_TRACE_FILE'
  /** The trace has more bytes than are looked at. */
  | 'ERR_TRACE_TOO_LARGE'
  /** The program did something else than when it was recorded, or the trace ends before it does. */
  | 'ERR_REPLAY_DIVERGED'

/** Why a capsule could not be written or built. */
export type BuildErrorCode =
  /** There is something where a new capsule should be written, or no place to write it. */
  | 'ERR_CAPSULE_EXISTS'
  /** The sources do not compile; the detail is what the compiler said. */
  | 'ERR_CAPSULE_BUILD'
  /** There is no compiler for the language on this machine; the detail says what to install. */
  | 'ERR_CAPSULE_COMPILER'
  /** The compiler took too long. */
  | 'ERR_CAPSULE_BUILD_TIME_LIMIT'

/** Why something was not granted, or not allowed; and what is wrong with the store of grants. */
export type GrantErrorCode =
  /** Nobody granted it. */
  | 'ERR_CAPABILITY_MISSING'
  /** Its owner denied it for good. */
  | 'ERR_CAPABILITY_DENIED'
  /** A grant or a delegation that contradicts itself. */
  | 'ERR_GRANT_INVALID'
  /** More grants than a capsule, or this device, may hold. */
  | 'ERR_GRANT_LIMIT'
  /** There is no such token, or another capsule holds it. */
  | 'ERR_GRANT_UNKNOWN'
  /** The store of grants cannot be written, so that nothing is allowed. */
  | 'ERR_AUTHORITY_STORE'
  /** The record of what was granted is not as this device wrote it: nothing is allowed. */
  | 'ERR_AUTHORITY_DAMAGED'
  /** An entry of the audit log was changed. */
  | 'ERR_AUDIT_TAMPERED'
  /** Entries at the end of the audit log are missing. */
  | 'ERR_AUDIT_CUT'

/** Why the installed capsules could not be changed, or one of them was not found. */
export type LifecycleErrorCode =
  /** No capsule of that name is installed. */
  | 'ERR_CAPSULE_NOT_INSTALLED'
  /** No capsule of that name runs. */
  | 'ERR_CAPSULE_NOT_RUNNING'
  /** What runs has no terminal that anybody could come to. */
  | 'ERR_CAPSULE_NO_TERMINAL'
  /** Another capsule has that name on this device, or it is no name. */
  | 'ERR_CAPSULE_NAME_TAKEN'
  /** That version is not kept on this device. */
  | 'ERR_CAPSULE_NO_VERSION'
  /** As many capsules are installed, or run, as may. */
  | 'ERR_CAPSULES_TOO_MANY'
  /** The record of installed capsules cannot be read. */
  | 'ERR_CAPSULE_RECORD'
  /** No such question of a capsule is open, or it was answered. */
  | 'ERR_QUESTION_UNKNOWN'
  /** The answer does not fit what a capsule asked. */
  | 'ERR_ANSWER_INVALID'

/** Why a tool server in a capsule did not do what was asked. */
export type ToolErrorCode =
  /** The capsule is no tool server: its manifest does not say `interface: mcp`. */
  | 'ERR_MCP_INTERFACE'
  /** The tool server said something that is not of the Model Context Protocol, or of no version spoken here. */
  | 'ERR_MCP_PROTOCOL'
  /** The tool server took too long to say who it is. */
  | 'ERR_MCP_TIME_LIMIT'
  /** The tool server refused: it has no such tool, or not with such arguments; the detail is what it said. */
  | 'ERR_MCP_REFUSED'
  /** The arguments are no JSON object, or too long. */
  | 'ERR_MCP_ARGUMENTS'

/** Every code a {@link CapsuleError} can carry. */
export type CapsuleErrorCode =
  | PackageErrorCode
  | ModuleErrorCode
  | RunErrorCode
  | BuildErrorCode
  | GrantErrorCode
  | LifecycleErrorCode
  | ToolErrorCode
  | TraceErrorCode

/** Options of {@link CapsuleError}. */
export interface CapsuleErrorOptions extends CodedErrorOptions {
  /** Lines for the person: what mends it, or what the compiler said. Bounded, without control characters. */
  detail?: readonly string[]
}

/** The error of this folder: what was expected of a manifest, a package, a module or a running capsule. */
export class CapsuleError extends CodedError<CapsuleErrorCode> {
  /** What mends it, or what the compiler said, a line each. */
  readonly detail: readonly string[]

  constructor(code: CapsuleErrorCode, message: string, options: CapsuleErrorOptions = {}) {
    super(code, message, options)
    this.detail = options.detail ?? []
  }
}
