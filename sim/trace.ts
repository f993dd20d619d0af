import { createHash, hash } from 'node:crypto'
import { TRACE_TAIL_LINES } from './constants.ts'

/** Something that happened between two nodes. */
export interface TraceEvent {
  /** Virtual time, milliseconds since the simulation began. */
  readonly atMs: number
  readonly from: string
  readonly to: string
  /** `dial`, `data`, `close`, `reset`, `stream` and the protocol, or what the network was told to do. */
  readonly kind: string
  /** What travelled. */
  readonly bytes?: Uint8Array
}

/** Everything that happened, in order, as one running hash. */
export interface Trace {
  add(event: TraceEvent): void
  /** SHA-256 over all events so far, in hexadecimal. */
  hash(): string
  /** How many events there were. */
  eventCount(): number
  /** How many of them carried bytes; 0 means that nothing was simulated. */
  payloadCount(): number
  /** How many streams were opened for a protocol whose id contains this text. */
  streamCount(protocol: string): number
  /** The last lines, oldest first, for a person to read. */
  tail(): readonly string[]
}

/** Lines that are written to the hash at once. */
const LINES_AT_ONCE = 512

/** Creates an empty trace; `onLine` gets each line as it is written. */
export function createTrace(onLine?: (line: string) => void): Trace {
  const running = createHash('sha256')
  // written to the hash some at a time: a call of its own for each line takes longer than the hashing
  const lines: string[] = []
  let hashed = 0
  const flush = (keep: number): void => {
    if (hashed < lines.length) running.update(`${lines.slice(hashed).join('\n')}\n`)
    lines.splice(0, lines.length - keep)
    hashed = lines.length
  }
  const streams = new Map<string, number>()
  let events = 0
  let payloads = 0
  return {
    add: ({ atMs, from, to, kind, bytes }) => {
      events += 1
      if (kind.startsWith('stream ')) streams.set(kind, (streams.get(kind) ?? 0) + 1)
      const digest = bytes === undefined ? '' : ` ${bytes.byteLength} ${digestOf(bytes)}`
      if (bytes !== undefined && bytes.byteLength > 0) payloads += 1
      const line = `${atMs} ${from} ${to} ${kind}${digest}`
      lines.push(line)
      if (lines.length >= LINES_AT_ONCE) flush(TRACE_TAIL_LINES)
      onLine?.(line)
    },
    hash: () => {
      flush(Math.min(lines.length, TRACE_TAIL_LINES))
      return running.copy().digest('hex')
    },
    eventCount: () => events,
    payloadCount: () => payloads,
    streamCount: (protocol) =>
      streams.entries().reduce((sum, [kind, count]) => (kind.includes(protocol) ? sum + count : sum), 0),
    tail: () => lines.slice(-TRACE_TAIL_LINES)
  }
}

/** Of messages of one byte: every second one is a dial, and those are all the same. */
const digestsOfOne = new Map<number, string>()

function digestOf(bytes: Uint8Array): string {
  const [only] = bytes
  if (bytes.length !== 1 || only === undefined) return hash('sha256', bytes, 'hex').slice(0, 16)
  const known = digestsOfOne.get(only) ?? hash('sha256', bytes, 'hex').slice(0, 16)
  digestsOfOne.set(only, known)
  return known
}
