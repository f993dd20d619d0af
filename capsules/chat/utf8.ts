/** A character that was not finished when the bytes ended. */
export interface Utf8State {
  /** Bytes of it so far; at most three. */
  readonly pending: readonly number[]
}

/** Nothing is pending. */
export const EMPTY_UTF8: Utf8State = { pending: [] }

/** What stands for bytes that are no UTF-8. */
export const REPLACEMENT = '\ufffd'

/** The text of some bytes, and what is left of a character that goes on in the next ones. */
export interface Utf8Step {
  readonly state: Utf8State
  /** Bytes that are no UTF-8 became U+FFFD. */
  readonly text: string
  readonly isValid: boolean
}

/**
 * Decodes UTF-8 that comes in pieces, wherever they are cut. Written out because a capsule has no `TextDecoder`.
 *
 * @see The Unicode Standard, table 3-7 (well-formed byte sequences)
 */
export function decodeUtf8(state: Utf8State, bytes: Iterable<number>): Utf8Step {
  let pending = [...state.pending]
  let text = ''
  let isValid = true
  for (const byte of bytes) {
    if (pending.length > 0 && !continues(pending, byte)) {
      text += REPLACEMENT
      isValid = false
      pending = []
    }
    pending.push(byte)
    const length = sequenceLength(pending[0] ?? 0)
    if (length === 0) {
      text += REPLACEMENT
      isValid = false
      pending = []
    } else if (pending.length === length) {
      text += String.fromCodePoint(codePoint(pending))
      pending = []
    }
  }
  return { state: { pending }, text, isValid }
}

/** How many bytes `text` has in UTF-8; a lone surrogate counts as three. */
export function utf8Length(text: string): number {
  let length = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return length
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  if (first < 0xc2) return 0
  if (first < 0xe0) return 2
  if (first < 0xf0) return 3
  return first < 0xf5 ? 4 : 0
}

/** The second byte of some sequences is narrower: no overlong forms, no surrogates, nothing above U+10FFFF. */
function continues(pending: readonly number[], byte: number): boolean {
  const first = pending[0] ?? 0
  if (pending.length > 1) return byte >= 0x80 && byte <= 0xbf
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  return byte >= low && byte <= high
}

function codePoint(bytes: readonly number[]): number {
  const [first = 0, ...rest] = bytes
  const head = rest.length === 0 ? first : first & (0xff >> (rest.length + 2))
  return rest.reduce((point, byte) => (point << 6) | (byte & 0x3f), head)
}
