import { CodedError, type CodedErrorOptions } from '#contracts'

/** Why a manifest or a package was refused. */
export type PackageErrorCode =
  | 'ERR_MANIFEST_INVALID'
  | 'ERR_MANIFEST_TOO_LARGE'
  | 'ERR_SUBSTRATE_UNSUPPORTED'
  | 'ERR_PACKAGE_INVALID'
  | 'ERR_PACKAGE_TOO_LARGE'
  | 'ERR_CAPSULE_UNSIGNED'
  | 'ERR_CAPSULE_SIGNER'
  | 'ERR_CAPSULE_TAMPERED'
  | 'ERR_CAPSULE_NAME_MISMATCH'
  | 'ERR_CAPSULE_VERSION_MISMATCH'

/** Why a WebAssembly module was not admitted. */
export type ModuleErrorCode =
  'ERR_MODULE_INVALID' | 'ERR_MODULE_TOO_LARGE' | 'ERR_MODULE_IMPORT' | 'ERR_MODULE_FEATURE'

/** Why a capsule could not start, or was ended. */
export type RunErrorCode =
  | 'ERR_SANDBOX_UNAVAILABLE'
  | 'ERR_CAPSULE_ARGUMENTS'
  | 'ERR_CAPSULE_TIME_LIMIT'
  | 'ERR_CAPSULE_MEMORY_LIMIT'
  | 'ERR_CAPSULE_OUTPUT_LIMIT'
  | 'ERR_CAPSULE_CHANNEL'
  | 'ERR_CAPSULE_TRAP'
  | 'ERR_CAPSULE_CRASHED'
  | 'ERR_CAPSULE_STOPPED'
  | 'ERR_CAPSULE_OUTPUT_CLOSED'

/** Why a capsule could not be written or built. */
export type BuildErrorCode = 'ERR_CAPSULE_EXISTS' | 'ERR_CAPSULE_BUILD' | 'ERR_CAPSULE_BUILD_TIME_LIMIT'

/** Every code a {@link CapsuleError} can carry. */
export type CapsuleErrorCode = PackageErrorCode | ModuleErrorCode | RunErrorCode | BuildErrorCode

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
