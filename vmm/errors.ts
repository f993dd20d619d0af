import { CodedError, type CodedErrorOptions } from '#contracts'

/** Why a machine could not be, or how it ended otherwise than by its program's end. */
export type MachineErrorCode =
  /** There is no machine here; the detail says what to install or build. */
  | 'ERR_VM_UNAVAILABLE'
  /** A machine can only be emulated here, which is no wall, and nobody allowed that. */
  | 'ERR_VM_EMULATED'
  /** A machine was described that cannot be: too little memory, a name with a comma, too many disks. */
  | 'ERR_VM_PLAN'
  /** The guest did not say that it is up in time, or its monitor ended before; the detail is what that said. */
  | 'ERR_VM_START'
  /** The guest broke the rules of its channel. */
  | 'ERR_VM_CHANNEL'
  /** The guest could not start its program. */
  | 'ERR_VM_PROGRAM'
  /** The machine ended without saying how its program did. */
  | 'ERR_VM_CRASHED'
  /** The machine ran longer than it may, or used more of the processor. */
  | 'ERR_VM_TIME_LIMIT'
  /** Its owner ended the machine. */
  | 'ERR_VM_STOPPED'

/** Why an image or a guest could not be made, or is not used. */
export type ImageErrorCode =
  /** A path of an image that is not plain, or comes twice, or an image with too much in it. */
  | 'ERR_VM_IMAGE'
  /** Something the guest is made of is not here or not as expected: a package, a kernel, the compiler. */
  | 'ERR_VM_GUEST_BUILD'
  /** What should be a guest is none, one for another processor, or not as it was built. */
  | 'ERR_VM_GUEST_INVALID'
  /** There is no apt on this machine to get packages of Debian with; the detail says what else can be done. */
  | 'ERR_VM_APT_MISSING'
  /** The list of packages is not valid, or apt did not find, verify or download them; the detail is what it said. */
  | 'ERR_VM_PACKAGES'
  /** A package is not the one an image was made of before, or cannot be had any more. */
  | 'ERR_VM_PACKAGES_CHANGED'

/** Every code a {@link VmmError} can carry. */
export type VmmErrorCode = MachineErrorCode | ImageErrorCode

/** Options of {@link VmmError}. */
export interface VmmErrorOptions extends CodedErrorOptions {
  /** Lines for the person: what mends it, or what the monitor said. Bounded, without control characters. */
  detail?: readonly string[]
}

/** The error of this folder: what was expected of a monitor, a guest or an image, and what came. */
export class VmmError extends CodedError<VmmErrorCode> {
  /** What mends it, or what the monitor said, a line each. */
  readonly detail: readonly string[]

  constructor(code: VmmErrorCode, message: string, options: VmmErrorOptions = {}) {
    super(code, message, options)
    this.detail = options.detail ?? []
  }
}
