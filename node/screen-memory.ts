/** What was written to a terminal last, for who looks at it later. */
export interface ScreenMemory {
  /** Takes what was written. */
  note(bytes: Uint8Array): void
  /** Makes another terminal as the one that was written to, as far as the end of what was written goes. */
  replay(): Uint8Array
}

/** Bytes of output that are kept: some screens of it. */
const KEPT_BYTES_MAX = 64 * 1024
/** Bytes up to which writes are kept as one piece. */
const PIECE_BYTES_MAX = 1024
/** Bytes that a sequence of {@link MODE} has at most. */
const MODE_BYTES_MAX = 12
const ESCAPE = 0x1b
const LINE_FEED = 0x0a
/**
 * The switches of a terminal that full-screen programs use: another screen, the cursor, pastes, the mouse. What a program switched long
 * ago is not in the end of its output.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
// eslint-disable-next-line no-control-regex
const MODE = /\u001b\[\?(1049|2004|1000|1002|1006|25|7)([hl])/g
/** Those that are on in a terminal nobody touched. */
const ON_BY_DEFAULT: ReadonlySet<string> = new Set(['25', '7'])

/** A memory of nothing. */
export function createScreenMemory(): ScreenMemory {
  const modes = new Map<string, 'h' | 'l'>()
  const tail = createTail()
  let isCut = false
  let rest = ''
  return {
    note: (bytes) => {
      const text = rest + Buffer.from(bytes).toString('latin1')
      for (const [, mode = '', state] of text.matchAll(MODE)) modes.set(mode, state === 'h' ? 'h' : 'l')
      // A sequence may come in two pieces.
      rest = text.slice(-MODE_BYTES_MAX)
      isCut = tail.add(bytes) || isCut
    },
    replay: () => {
      const kept = tail.joined()
      if (!isCut) return kept
      const switched = [...modes]
        .filter(([mode, state]) => (state === 'h') !== ON_BY_DEFAULT.has(mode))
        .map(([mode, state]) => `\u001b[?${mode}${state}`)
      return Buffer.concat([Buffer.from(switched.join('')), fromWhole(kept)])
    }
  }
}

/** The end of what was written. */
interface Tail {
  /** Whether something at the front went for it. */
  add(bytes: Uint8Array): boolean
  joined(): Uint8Array
}

/** In pieces, so that a write costs what it brings; they are joined when somebody looks. */
function createTail(): Tail {
  const pieces: Uint8Array[] = []
  let total = 0
  return {
    add: (bytes) => {
      const last = pieces.at(-1)
      // Small writes share a piece: as many as there are, the pieces stay few.
      if (last !== undefined && last.byteLength + bytes.byteLength <= PIECE_BYTES_MAX) {
        pieces[pieces.length - 1] = Uint8Array.from(Buffer.concat([last, bytes]))
      } else {
        // Of its own: a view would keep all that it is a view of.
        pieces.push(Uint8Array.from(bytes))
      }
      total += bytes.byteLength
      if (total <= KEPT_BYTES_MAX) return false
      for (let first = pieces[0]; first !== undefined && total > KEPT_BYTES_MAX; first = pieces[0]) {
        const over = Math.min(total - KEPT_BYTES_MAX, first.byteLength)
        if (over < first.byteLength) pieces[0] = first.slice(over)
        else pieces.shift()
        total -= over
      }
      return true
    },
    joined: () => Buffer.concat(pieces)
  }
}

/** From where text or a sequence begins: what was cut starts anywhere. */
function fromWhole(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte === ESCAPE || byte === LINE_FEED)
  return start === -1 ? new Uint8Array(0) : bytes.subarray(start)
}
