import { LINE_BYTES_MAX } from './constants.ts'
import { decodeUtf8, EMPTY_UTF8 } from './utf8.ts'

/** A line from a pipe, or why it was skipped. */
export type InputLine =
  | { readonly type: 'line'; readonly text: string }
  | { readonly type: 'bad-line'; readonly code: 'ERR_TEXT_TOO_LONG' | 'ERR_TEXT_INVALID' }

/** Where the decoder stands between two pieces of input. */
export interface LinesState {
  readonly buffer: readonly number[]
  /** The line is too long already; the rest of it is skipped. */
  readonly isSkipping: boolean
}

/** Nothing was read yet. */
export const EMPTY_LINES: LinesState = { buffer: [], isSkipping: false }

/** The lines in some bytes, and where the decoder stands after them. */
export interface LinesStep {
  readonly state: LinesState
  readonly lines: readonly InputLine[]
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Cuts what comes from a pipe into lines, however it is cut into pieces; keeps no more than one line in memory. */
export function decodeLines(state: LinesState, bytes: Uint8Array): LinesStep {
  const lines: InputLine[] = []
  let buffer = [...state.buffer]
  let isSkipping = state.isSkipping
  for (const byte of bytes) {
    if (byte === LINE_FEED) {
      if (!isSkipping) lines.push(readLine(buffer))
      buffer = []
      isSkipping = false
    } else if (!isSkipping && buffer.push(byte) > LINE_BYTES_MAX) {
      lines.push({ type: 'bad-line', code: 'ERR_TEXT_TOO_LONG' })
      buffer = []
      isSkipping = true
    }
  }
  return { state: { buffer, isSkipping }, lines }
}

/** The last line, when the input ended without a line feed. */
export function flushLines({ buffer }: LinesState): LinesStep {
  return { state: EMPTY_LINES, lines: buffer.length === 0 ? [] : [readLine(buffer)] }
}

function readLine(buffer: readonly number[]): InputLine {
  const bytes = buffer.at(-1) === CARRIAGE_RETURN ? buffer.slice(0, -1) : buffer
  const { state, text, isValid } = decodeUtf8(EMPTY_UTF8, bytes)
  if (!isValid || state.pending.length > 0) return { type: 'bad-line', code: 'ERR_TEXT_INVALID' }
  return { type: 'line', text }
}
