import type { RawSystem } from './raw.ts'

/** What the Encoding Standard's classes take and give, as far as capsules have them: UTF-8 alone. */
export interface TextCodecs {
  readonly TextEncoder: typeof TextEncoder
  readonly TextDecoder: typeof TextDecoder
}

const REPLACEMENT = '\ufffd'
const BYTE_ORDER_MARK = '\ufeff'

/**
 * `TextEncoder` and `TextDecoder` over the runtime's own conversion, which is fast and lenient; only text in which it
 * may have been lenient is decoded here.
 *
 * @see https://encoding.spec.whatwg.org/
 */
export function createTextCodecs(raw: Pick<RawSystem, 'text_encode' | 'text_decode'>): TextCodecs {
  return { TextEncoder: createEncoder(raw), TextDecoder: createDecoder(raw) }
}

function createEncoder(raw: Pick<RawSystem, 'text_encode'>): typeof TextEncoder {
  return class Encoder {
    readonly encoding = 'utf-8'

    encode(text = ''): Uint8Array {
      return new Uint8Array(raw.text_encode(text.toWellFormed()))
    }

    encodeInto(text: string, target: Uint8Array): { read: number; written: number } {
      let read = 0
      let written = 0
      for (const character of text) {
        const bytes = this.encode(character)
        if (written + bytes.byteLength > target.byteLength) break
        target.set(bytes, written)
        written += bytes.byteLength
        read += character.length
      }
      return { read, written }
    }
  } as unknown as typeof TextEncoder
}

function createDecoder(raw: Pick<RawSystem, 'text_decode'>): typeof TextDecoder {
  const decodeBytes = (bytes: Uint8Array, isFatal: boolean): string => {
    if (bytes.byteLength === 0) return ''
    const text = raw.text_decode(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const isSure = text.isWellFormed() && !text.includes(REPLACEMENT)
    return isSure ? text : decodeStrictly(bytes, isFatal)
  }

  return class Decoder {
    readonly encoding = 'utf-8'
    readonly fatal: boolean
    readonly ignoreBOM: boolean
    #held: Uint8Array = new Uint8Array(0)
    #isStart = true

    constructor(label = 'utf-8', options: TextDecoderOptions = {}) {
      if (!/^\s*(unicode-1-1-)?utf-?8\s*$/i.test(label)) {
        throw new RangeError(`expected the encoding utf-8, got ${label}`)
      }
      this.fatal = options.fatal ?? false
      this.ignoreBOM = options.ignoreBOM ?? false
    }

    decode(input?: ArrayBuffer | ArrayBufferView, options: TextDecodeOptions = {}): string {
      const whole = concatenate(this.#held, bytesOf(input))
      const isMore = options.stream ?? false
      const end = isMore ? wholeCharactersEnd(whole) : whole.byteLength
      this.#held = isMore ? whole.slice(end) : new Uint8Array(0)
      let text
      try {
        text = decodeBytes(whole.subarray(0, end), this.fatal)
      } catch (thrown) {
        this.#reset()
        throw thrown
      }
      const hasMark = this.#isStart && !this.ignoreBOM && text.startsWith(BYTE_ORDER_MARK)
      this.#isStart = isMore && this.#isStart && end === 0
      return hasMark ? text.slice(1) : text
    }

    #reset(): void {
      this.#held = new Uint8Array(0)
      this.#isStart = true
    }
  }
}

function bytesOf(input: ArrayBuffer | ArrayBufferView | undefined): Uint8Array {
  if (input === undefined) return new Uint8Array(0)
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  return new Uint8Array(input)
}

function concatenate(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.byteLength === 0) return right
  const whole = new Uint8Array(left.byteLength + right.byteLength)
  whole.set(left)
  whole.set(right, left.byteLength)
  return whole
}

/** Where the last character starts that may not be whole yet. */
function wholeCharactersEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.byteLength; back++) {
    const byte = bytes[bytes.byteLength - back] ?? 0
    if (byte < 0x80) break
    if (byte >= 0xc0) return lengthOf(byte) > back ? bytes.byteLength - back : bytes.byteLength
  }
  return bytes.byteLength
}

function lengthOf(lead: number): number {
  if (lead >= 0xf0) return 4
  return lead >= 0xe0 ? 3 : 2
}

/** The "UTF-8 decoder" of the Encoding Standard, a byte at a time. */
function decodeStrictly(bytes: Uint8Array, isFatal: boolean): string {
  const parts: string[] = []
  let codePoint = 0
  let needed = 0
  let lower = 0x80
  let upper = 0xbf
  const fail = (): void => {
    if (isFatal) throw new TypeError('expected UTF-8')
    parts.push(REPLACEMENT)
    needed = 0
  }
  for (let index = 0; index < bytes.byteLength; index++) {
    const byte = bytes[index] ?? 0
    if (needed === 0) {
      lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
      upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
      if (byte < 0x80) parts.push(String.fromCharCode(byte))
      else if (byte < 0xc2 || byte > 0xf4) fail()
      else {
        needed = lengthOf(byte) - 1
        codePoint = byte & (0x3f >> needed)
      }
    } else if (byte < lower || byte > upper) {
      fail()
      index--
    } else {
      lower = 0x80
      upper = 0xbf
      codePoint = (codePoint << 6) | (byte & 0x3f)
      if (--needed === 0) parts.push(String.fromCodePoint(codePoint))
    }
  }
  if (needed > 0) fail()
  return parts.join('')
}
