import { CodedError } from './errors.ts'

/** A stream of lines broke its limit or carried something that is not JSON. */
export class JsonLinesError extends CodedError<'ERR_LINE_TOO_LONG' | 'ERR_LINE_NOT_JSON'> {}

/** Splits a byte stream into JSON values, a value a line; a line is bounded before it is parsed. */
export interface JsonLinesDecoder {
  /**
   * Takes the next chunk and returns the values of the lines it completed.
   *
   * @throws JsonLinesError when a line is over the limit or is not JSON; the decoder is then of no further use
   */
  push(chunk: Uint8Array): unknown[]
}

const NEWLINE = 0x0a

/** Creates a decoder whose lines hold at most `lineBytesMax` bytes. */
export function createJsonLinesDecoder(lineBytesMax: number): JsonLinesDecoder {
  const text = new TextDecoder('utf-8', { fatal: true })
  let held: Uint8Array[] = []
  let heldBytes = 0

  const hold = (part: Uint8Array): void => {
    heldBytes += part.byteLength
    if (heldBytes > lineBytesMax) {
      throw new JsonLinesError('ERR_LINE_TOO_LONG', `expected a line of at most ${lineBytesMax} bytes`)
    }
    held.push(part)
  }
  const takeLine = (): Uint8Array => {
    const line = held.length === 1 && held[0] !== undefined ? held[0] : concatenate(held, heldBytes)
    held = []
    heldBytes = 0
    return line
  }

  return {
    push: (chunk) => {
      const values: unknown[] = []
      let start = 0
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        hold(chunk.subarray(start, end))
        const line = takeLine()
        if (line.byteLength > 0) values.push(parseLine(text, line))
        start = end + 1
      }
      // The caller may reuse its buffer, so what stays is copied; `slice` of a Buffer would not.
      if (start < chunk.byteLength) hold(Uint8Array.from(chunk.subarray(start)))
      return values
    }
  }
}

/** Encodes one value as a line of JSON, newline included. */
export function encodeJsonLine(value: unknown): string {
  return JSON.stringify(value) + '\n'
}

function parseLine(text: TextDecoder, line: Uint8Array): unknown {
  try {
    return JSON.parse(text.decode(line)) as unknown
  } catch (cause) {
    throw new JsonLinesError('ERR_LINE_NOT_JSON', 'expected a line of JSON in UTF-8', { cause })
  }
}

function concatenate(parts: Uint8Array[], byteLength: number): Uint8Array {
  const whole = new Uint8Array(byteLength)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
