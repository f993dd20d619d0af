import { createHash } from 'node:crypto'
import * as z from 'zod'
import { ARGUMENTS_MAX, MODULE_BYTES_MAX, NAME_LENGTH_MAX, VERSION_LENGTH_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import {
  CHUNK,
  encodeChunkHead,
  ENTRY_HEAD_BYTES,
  ENTRY_KIND,
  TraceFormatError,
  TraceReader
} from '../guest/trace/entries.ts'
import { CAPSULE_LIMIT_CEILINGS, CAPSULE_LIMIT_FLOORS } from '../limits.ts'
import { UnsaidError, type CapsuleOutcome } from '../process/outcome.ts'
import {
  TRACE_BYTES_MAX,
  TRACE_HEAD_BYTES_MAX,
  TRACE_MAGIC,
  TRACE_VERSION,
  TRACE_VERSION_MIN
} from './constants.ts'

/** Bytes of the code of an error. */
const CODE_BYTES_MAX = 64
const HEAD_AT = TRACE_MAGIC.length + 5

/** How a recorded run was started: all that a replay needs beside what it then got. */
export interface TraceHead {
  readonly name: string
  readonly version: string
  readonly args: readonly string[]
  readonly hasFiles: boolean
  readonly memoryBytesMax: number
  /** False when standard input was left out; a replay then needs it given anew. */
  readonly keepsInput: boolean
  readonly moduleBytes: number
  readonly moduleSha256: string
}

/** How a recorded run ended. */
export interface TraceEnd {
  readonly exitCode: number
  /** The code of the error that ended it; empty when it exited. */
  readonly code: string
  /** True when its last calls may not be in the trace: its process was gone before it had handed them over. */
  readonly isCut: boolean
}

/** A trace, taken apart. */
export interface DecodedTrace {
  readonly head: TraceHead
  readonly module: Uint8Array
  /** All behind its module, in chunks. */
  readonly entries: Uint8Array
}

const headSchema = z.strictObject({
  name: z.string().min(1).max(NAME_LENGTH_MAX),
  version: z.string().max(VERSION_LENGTH_MAX),
  args: z.array(z.string()).max(ARGUMENTS_MAX),
  hasFiles: z.boolean(),
  memoryBytesMax: z.int().min(CAPSULE_LIMIT_FLOORS.memoryBytesMax).max(CAPSULE_LIMIT_CEILINGS.memoryBytesMax),
  keepsInput: z.boolean(),
  moduleBytes: z.int().min(0).max(MODULE_BYTES_MAX),
  moduleSha256: z.string().regex(/^[0-9a-f]{64}$/)
})

/** The beginning of a trace, its module included; chunks follow to its end. */
export function encodeTraceStart(
  head: Omit<TraceHead, 'moduleBytes' | 'moduleSha256'>,
  module: Uint8Array
): Uint8Array {
  const text = JSON.stringify({ ...head, moduleBytes: module.byteLength, moduleSha256: sha256(module) })
  const headBytes = Buffer.from(text)
  const start = Buffer.alloc(HEAD_AT)
  start.write(TRACE_MAGIC)
  start.writeUInt8(TRACE_VERSION, TRACE_MAGIC.length)
  start.writeUInt32LE(headBytes.byteLength, TRACE_MAGIC.length + 1)
  return Buffer.concat([start, headBytes, module])
}

/** The next chunk of a trace: entries, or an answer to a call on files. */
export function encodeTraceChunk(kind: keyof typeof CHUNK, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([encodeChunkHead(CHUNK[kind], bytes.byteLength), bytes])
}

/** In the place of an error number: entries may be missing before the end. */
const CUT = 1

/** The last entry of a trace. */
export function encodeTraceEnd(outcome: CapsuleOutcome): Uint8Array {
  const code = Buffer.from(outcome.kind === 'exit' ? '' : outcome.error.code)
  const entry = Buffer.alloc(ENTRY_HEAD_BYTES)
  entry.writeUInt8(ENTRY_KIND.end)
  if (outcome.kind === 'error' && outcome.error instanceof UnsaidError) entry.writeUInt8(CUT, 1)
  entry.writeUInt32LE(outcome.kind === 'exit' ? outcome.exitCode : 0, 2)
  entry.writeUInt32LE(code.byteLength, 6)
  return Buffer.concat([entry, code])
}

/**
 * Takes a trace apart. Its entries are checked as they are replayed.
 *
 * @throws CapsuleError `ERR_TRACE_INVALID`, `ERR_TRACE_TOO_LARGE`
 * @see docs/protocols/capsule-trace.md
 */
export function decodeTrace(bytes: Uint8Array): DecodedTrace {
  if (bytes.byteLength > TRACE_BYTES_MAX) {
    throw new CapsuleError('ERR_TRACE_TOO_LARGE', `expected a trace of at most ${TRACE_BYTES_MAX} bytes`)
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.byteLength < HEAD_AT || buffer.toString('latin1', 0, TRACE_MAGIC.length) !== TRACE_MAGIC) {
    throw invalid('another beginning')
  }
  const version = buffer.readUInt8(TRACE_MAGIC.length)
  if (version < TRACE_VERSION_MIN || version > TRACE_VERSION) throw invalid(`version ${version}`)
  const headBytes = buffer.readUInt32LE(TRACE_MAGIC.length + 1)
  if (headBytes > TRACE_HEAD_BYTES_MAX || HEAD_AT + headBytes > buffer.byteLength) throw invalid('a cut one')
  const head = parseHead(buffer.toString('utf8', HEAD_AT, HEAD_AT + headBytes))
  const moduleAt = HEAD_AT + headBytes
  const module = buffer.subarray(moduleAt, moduleAt + head.moduleBytes)
  if (module.byteLength !== head.moduleBytes || sha256(module) !== head.moduleSha256) {
    throw invalid('another module than it names')
  }
  const rest = buffer.subarray(moduleAt + head.moduleBytes)
  return { head, module, entries: version === TRACE_VERSION ? rest : encodeTraceChunk('entries', rest) }
}

/**
 * How the run of these entries ended; `undefined` when they were cut before.
 *
 * @throws CapsuleError `ERR_TRACE_INVALID`
 */
export function findTraceEnd(entries: Uint8Array): TraceEnd | undefined {
  try {
    const reader = new TraceReader(entries)
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const { kind, errno, check, payload } = entry
      if (kind === ENTRY_KIND.end) return { exitCode: check, code: codeOf(payload), isCut: errno === CUT }
    }
    return undefined
  } catch (cause) {
    throw new CapsuleError('ERR_TRACE_INVALID', 'expected entries of a trace', { cause })
  }
}

function codeOf(payload: Uint8Array): string {
  const code = Buffer.from(payload.subarray(0, CODE_BYTES_MAX + 1)).toString('latin1')
  if (code.length > CODE_BYTES_MAX || !/^[A-Z_]*$/.test(code)) throw new TraceFormatError('expected a code')
  return code
}

function parseHead(text: string): TraceHead {
  try {
    return headSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new CapsuleError('ERR_TRACE_INVALID', 'expected a trace whose head is of its form', { cause })
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function invalid(what: string): CapsuleError {
  return new CapsuleError('ERR_TRACE_INVALID', `expected a trace of version ${TRACE_VERSION}, got ${what}`)
}
