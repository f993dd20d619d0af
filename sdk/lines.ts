/** Cuts a stream of bytes into lines of text. */
export interface LineReader {
  /** Takes the next bytes and returns the lines they completed, without their newlines. */
  push(bytes: Uint8Array): string[]
  /** What is left after the last newline. */
  rest(): string
}

const NEWLINE = 0x0a

/** Creates a reader. @throws RangeError from `push` for a line of more than `lineBytesMax` bytes */
export function createLineReader(lineBytesMax: number): LineReader {
  const text = new TextDecoder()
  let held: Uint8Array[] = []
  let heldBytes = 0
  const hold = (part: Uint8Array): void => {
    heldBytes += part.byteLength
    if (heldBytes > lineBytesMax) throw new RangeError(`expected a line of at most ${lineBytesMax} bytes`)
    held.push(part)
  }
  const take = (): string => {
    const [first] = held
    const bytes = held.length === 1 && first !== undefined ? first : concatenate(held, heldBytes)
    held = []
    heldBytes = 0
    return text.decode(bytes)
  }
  return {
    push: (bytes) => {
      const lines: string[] = []
      let start = 0
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        hold(bytes.subarray(start, end))
        lines.push(take())
        start = end + 1
      }
      if (start < bytes.byteLength) hold(bytes.subarray(start))
      return lines
    },
    rest: take
  }
}

function concatenate(parts: readonly Uint8Array[], byteLength: number): Uint8Array {
  const whole = new Uint8Array(byteLength)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
