import { createHash } from 'node:crypto'
import type { Clock } from '#contracts'
import {
  CAPSULE_LOG_BYTES_MAX,
  CAPSULE_LOG_LINE_LENGTH_MAX,
  CAPSULE_LOG_TAIL_BYTES_MAX,
  CAPSULE_LOG_WAITING_MAX
} from '../constants.ts'
import { printable } from '../text.ts'

/** One line of a lineage's log. */
export interface LogLine {
  readonly timeMs: number
  /** Which run said it. */
  readonly run: number
  /** What it comes from: `host` is this node, `log` what the capsule said for its log, the others what it wrote. */
  readonly from: 'host' | 'log' | 'stdout' | 'stderr'
  /** One line, nothing in it that could steer a terminal. */
  readonly text: string
}

/** The files logs are kept in; names are plain. */
export interface LogFiles {
  /** Adds to the end of a file, which is made when there is none. */
  append(name: string, text: string): Promise<void>
  /** Bytes of a file; 0 when there is none. */
  size(name: string): Promise<number>
  /** The last bytes of a file, at most `bytesMax`; empty when there is none. */
  readEnd(name: string, bytesMax: number): Promise<string>
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
}

/** What capsules wrote while nobody watched, a bounded log for each lineage. */
export interface CapsuleLogs {
  /** Adds lines; never rejects: who logs must not fail of a full disk. */
  append(lineage: string, lines: readonly Omit<LogLine, 'timeMs'>[]): Promise<void>
  /** The last lines, oldest first. */
  tail(lineage: string, linesMax: number): Promise<LogLine[]>
  /** Calls `listener` with what is added from now on. */
  follow(lineage: string, listener: (lines: readonly LogLine[]) => void): Disposable
  remove(lineage: string): Promise<void>
}

/** Logs over `files`: two files a lineage, the older one replaced when the newer is full. */
export function createCapsuleLogs({
  files,
  clock
}: {
  files: LogFiles
  clock: Pick<Clock, 'nowMs'>
}): CapsuleLogs {
  const listeners = createLogListeners()
  let writing: Promise<void> = Promise.resolve()
  let waiting = 0
  const inOrder = async (work: () => Promise<void>): Promise<void> => {
    waiting++
    writing = writing
      .then(work)
      .catch(() => undefined)
      .finally(() => waiting--)
    await writing
  }
  return {
    append: async (lineage, added) => {
      // Who does not wait for its lines to be written loses those that the disk does not take.
      if (waiting >= CAPSULE_LOG_WAITING_MAX) return
      const timeMs = clock.nowMs()
      const lines = added.map(({ run, from, text }) => ({
        ...{ timeMs, run, from },
        text: printable(text, CAPSULE_LOG_LINE_LENGTH_MAX)
      }))
      listeners.tell(lineage, lines)
      const name = fileNameOf(lineage)
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      await inOrder(async () => {
        if ((await files.size(name)) + text.length > CAPSULE_LOG_BYTES_MAX)
          await files.rename(name, `${name}.1`)
        await files.append(name, text)
      })
    },
    tail: async (lineage, linesMax) => {
      await writing
      const name = fileNameOf(lineage)
      const newer = parseLines(await files.readEnd(name, CAPSULE_LOG_TAIL_BYTES_MAX))
      if (newer.length >= linesMax) return newer.slice(-linesMax)
      const older = parseLines(await files.readEnd(`${name}.1`, CAPSULE_LOG_TAIL_BYTES_MAX))
      return [...older, ...newer].slice(-linesMax)
    },
    follow: listeners.add,
    remove: async (lineage) => {
      const name = fileNameOf(lineage)
      await inOrder(async () => {
        await files.remove(name)
        await files.remove(`${name}.1`)
      })
    }
  }
}

type LogListener = (lines: readonly LogLine[]) => void

/** Who follows which log. */
function createLogListeners(): {
  add: (lineage: string, listener: LogListener) => Disposable
  tell: (lineage: string, lines: readonly LogLine[]) => void
} {
  const listeners = new Map<string, Set<LogListener>>()
  return {
    tell: (lineage, lines) => {
      for (const listener of listeners.get(lineage) ?? []) listener(lines)
    },
    add: (lineage, listener) => {
      const ofLineage = listeners.get(lineage) ?? new Set()
      listeners.set(lineage, ofLineage.add(listener))
      return {
        [Symbol.dispose]: () => {
          ofLineage.delete(listener)
          if (ofLineage.size === 0) listeners.delete(lineage)
        }
      }
    }
  }
}

/** Cuts a capsule's output into lines for its log; what has no end yet waits for it, up to a bound. */
export function createLineCutter(add: (lines: string[]) => Promise<void>): {
  write(bytes: Uint8Array): Promise<void>
  end(): Promise<void>
} {
  const decoder = new TextDecoder()
  let rest = ''
  return {
    write: async (bytes) => {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/)
      rest = parts.pop() ?? ''
      if (rest.length > CAPSULE_LOG_LINE_LENGTH_MAX) {
        parts.push(rest)
        rest = ''
      }
      if (parts.length > 0) await add(parts)
    },
    end: async () => {
      if (rest !== '') await add([rest])
      rest = ''
    }
  }
}

/** A lineage as a file name: it holds characters that a path may not. */
function fileNameOf(lineage: string): string {
  return `${createHash('sha256').update(lineage).digest('hex').slice(0, 32)}.log`
}

function parseLines(text: string): LogLine[] {
  return text.split('\n').flatMap((line) => {
    try {
      const { timeMs, run, from, text: said } = JSON.parse(line) as Record<string, unknown>
      const isLine = typeof timeMs === 'number' && typeof run === 'number' && typeof said === 'string'
      if (!isLine || !isSource(from)) return []
      return [{ timeMs, run, from, text: printable(said, CAPSULE_LOG_LINE_LENGTH_MAX) }]
    } catch {
      // The first line of a tail is cut, the last one of a crash is torn.
      return []
    }
  })
}

function isSource(from: unknown): from is LogLine['from'] {
  return from === 'host' || from === 'log' || from === 'stdout' || from === 'stderr'
}
