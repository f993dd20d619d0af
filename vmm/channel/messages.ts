import { VM_PROGRAM_BYTES_MAX, VM_PROGRAM_STRINGS_MAX, VM_SEED_BYTES } from '../constants.ts'
import { VmmError } from '../errors.ts'

/** A terminal's size in characters. */
export interface VmTerminalSize {
  readonly columns: number
  readonly rows: number
}

/** What a guest runs. */
export interface VmProgram {
  /** The program's path in the root image, then its arguments. */
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Where it starts; the root folder when absent. */
  readonly folder?: string
  /** Its standard streams are a terminal of this size; pipes when absent. */
  readonly terminal?: VmTerminalSize
}

/** What a guest is told when it may begin. */
export interface VmStart {
  readonly program: VmProgram
  /** The user and group the program runs as. */
  readonly userId: number
  /** Fresh for every machine: two clones of one snapshot would otherwise draw the same numbers. */
  readonly seed: Uint8Array
  readonly nowMs: number
  /** Whether its program runs for nothing: the guest then waits for another start message. Only of a guest that said it can. */
  readonly isRehearsal?: boolean
}

/** How a guest's program ended. */
export type VmExit =
  { readonly kind: 'code'; readonly code: number } | { readonly kind: 'signal'; readonly signal: number }

/** Fields of the start message: `[field u8][length u16][bytes]`, little-endian, in any order. */
const FIELD = {
  seed: 1,
  nowMs: 2,
  userId: 3,
  terminal: 4,
  folder: 5,
  variable: 6,
  argument: 7,
  rehearsal: 8
} as const
const FIELD_HEAD_BYTES = 3

/** What a guest was doing when it failed, as the byte that says it. */
const STEPS = [
  'reading its start message',
  'mounting its root image',
  'making its terminal',
  'making its pipes',
  'starting its program',
  'setting its time',
  'taking its seed'
] as const

/**
 * Encodes the payload of `VM_FRAME.start`.
 *
 * @throws VmmError `ERR_VM_PLAN` for a program that cannot be told: no argument, zero characters, too much of it
 */
export function encodeStart({ program, userId, seed, nowMs, isRehearsal }: VmStart): Uint8Array {
  const { args, environment = {}, folder = '/', terminal } = program
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  checkProgram(args, Object.keys(environment), [...args, ...variables, folder])
  if (seed.byteLength !== VM_SEED_BYTES) {
    throw new RangeError(`expected a seed of ${VM_SEED_BYTES} bytes, got ${seed.byteLength}`)
  }
  const text = (value: string): Uint8Array => new TextEncoder().encode(value)
  return Buffer.concat([
    ...(isRehearsal === true ? [field(FIELD.rehearsal, new Uint8Array(0))] : []),
    field(FIELD.seed, seed),
    field(FIELD.nowMs, number64(nowMs)),
    field(FIELD.userId, number32(userId)),
    ...(terminal === undefined ? [] : [field(FIELD.terminal, encodeTerminalSize(terminal))]),
    field(FIELD.folder, text(folder)),
    ...variables.map((variable) => field(FIELD.variable, text(variable))),
    ...args.map((argument) => field(FIELD.argument, text(argument)))
  ])
}

/** Encodes the payload of `VM_FRAME.resize`; a size no terminal has becomes the nearest one it can have. */
export function encodeTerminalSize({ columns, rows }: VmTerminalSize): Uint8Array {
  const payload = new Uint8Array(4)
  const view = new DataView(payload.buffer)
  view.setUint16(0, clamp(columns), true)
  view.setUint16(2, clamp(rows), true)
  return payload
}

/**
 * Reads the payload of `VM_FRAME.hello`: the versions the guest speaks.
 *
 * @throws VmmError `ERR_VM_CHANNEL` when there is none, or more than eight
 */
export function decodeHello(payload: Uint8Array): number[] {
  if (payload.byteLength === 0 || payload.byteLength > 8) {
    throw new VmmError('ERR_VM_CHANNEL', `expected 1 to 8 versions, got ${payload.byteLength}`)
  }
  return [...payload]
}

/**
 * Reads the payload of `VM_FRAME.exit`.
 *
 * @throws VmmError `ERR_VM_CHANNEL` when it is none
 */
export function decodeExit(payload: Uint8Array): VmExit {
  const [kind, value] = payload
  if (payload.byteLength === 2 && value !== undefined) {
    if (kind === 0) return { kind: 'code', code: value }
    if (kind === 1 && value > 0 && value <= 64) return { kind: 'signal', signal: value }
  }
  throw new VmmError('ERR_VM_CHANNEL', 'expected how the program ended in 2 bytes')
}

/**
 * Reads the payload of `VM_FRAME.failed` as the error it tells of.
 *
 * @throws VmmError `ERR_VM_CHANNEL` when it is none
 */
export function decodeFailed(payload: Uint8Array): VmmError {
  const step = STEPS[payload[0] ?? -1]
  if (payload.byteLength !== 5 || step === undefined) {
    throw new VmmError('ERR_VM_CHANNEL', 'expected how the guest failed in 5 bytes')
  }
  const errorNumber = new DataView(payload.buffer, payload.byteOffset).getUint32(1, true)
  return new VmmError('ERR_VM_PROGRAM', `the guest failed at ${step}, error number ${errorNumber}`)
}

function checkProgram(args: readonly string[], names: readonly string[], strings: readonly string[]): void {
  if (args[0]?.startsWith('/') !== true) {
    throw new VmmError('ERR_VM_PLAN', 'expected a program by its path from the root folder')
  }
  if (names.some((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))) {
    throw new VmmError('ERR_VM_PLAN', 'expected names of variables in letters, digits and _')
  }
  if (strings.some((text) => text.includes('\0'))) {
    throw new VmmError('ERR_VM_PLAN', 'expected arguments and variables without zero characters')
  }
  const bytes = strings.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const heads = strings.length * FIELD_HEAD_BYTES
  if (strings.length > VM_PROGRAM_STRINGS_MAX || bytes + heads > VM_PROGRAM_BYTES_MAX) {
    throw new VmmError(
      'ERR_VM_PLAN',
      `expected at most ${VM_PROGRAM_STRINGS_MAX} arguments and variables of ${VM_PROGRAM_BYTES_MAX} bytes, got ${strings.length} of ${bytes}`
    )
  }
}

function field(kind: number, bytes: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(FIELD_HEAD_BYTES + bytes.byteLength)
  encoded[0] = kind
  new DataView(encoded.buffer).setUint16(1, bytes.byteLength, true)
  encoded.set(bytes, FIELD_HEAD_BYTES)
  return encoded
}

function number32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function number64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.trunc(value)), true)
  return bytes
}

function clamp(value: number): number {
  return Math.min(65_535, Math.max(1, Math.trunc(value)))
}
