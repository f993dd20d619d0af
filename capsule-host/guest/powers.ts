import { closeSync, constants, fstatSync, writeSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'

/** What the guest process takes from its operating system: two pipes, a clock, randomness. */
export interface GuestPowers {
  /** Hands over what comes from the host, each piece good until `take` returns; resolves when the host closed the pipe. */
  listen(take: (piece: Uint8Array) => void): Promise<void>
  /** Writes all of `bytes` to the host. Blocks while the host does not read: that is the program's back-pressure. */
  write(bytes: Uint8Array): void
  /** Wall-clock milliseconds. */
  nowMs(): number
  /** Milliseconds since the process started. */
  monotonicMs(): number
  /** Calls `task` once after `durationMs`, for 0 when what has come was taken in; the returned function cancels it. */
  after(durationMs: number, task: () => void): () => void
  /** Fills at most 65,536 bytes. */
  fillRandom(bytes: Uint8Array): void
}

const STDIN = 0
const STDOUT = 1
const STDERR = 2
/** Descriptors that the parent may have opened between counting them and starting this process. */
const DESCRIPTORS_SLACK = 16
/** Bytes that are read at a time. A module comes in a few pieces; with a buffer of its own nothing is allocated for them. */
const READ_BYTES = 256 * 1024

/**
 * Closes what this process inherited beside its standard streams. Node opens everything so that no child gets it, but a
 * native library may not: LevelDB leaves the files of its stores to every process that is started, for writing. Done before
 * anything of a capsule is here.
 *
 * @param highest the highest descriptor of the parent, from where on there is nothing to close
 */
export function closeInherited(highest: number): void {
  const pipeEnds = new Map<number, number>()
  const found: { descriptor: number; stats: Stats }[] = []
  for (let descriptor = STDERR + 1; descriptor <= highest + DESCRIPTORS_SLACK; descriptor++) {
    const stats = statsOf(descriptor)
    if (stats === undefined) continue
    found.push({ descriptor, stats })
    if (stats.isFIFO()) pipeEnds.set(stats.ino, (pipeEnds.get(stats.ino) ?? 0) + 1)
  }
  for (const { descriptor, stats } of found) {
    // Of its own pipes, which wake its threads, a process has both ends.
    if (stats.isFIFO() ? pipeEnds.get(stats.ino) === 1 : isForeign(stats)) closeSync(descriptor)
  }
}

/** Beside pipes Node has only what is of no type open when its script begins; a folder would lead out of the sandbox. */
function isForeign({ mode }: Stats): boolean {
  return (mode & constants.S_IFMT) !== 0
}

function statsOf(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor)
  } catch {
    // Not open.
    return undefined
  }
}

/** The guest process's own powers. */
export function guestPowers(): GuestPowers {
  return {
    listen,
    write: (bytes) => {
      for (let offset = 0; offset < bytes.byteLength;) {
        offset += writeSync(STDOUT, bytes, offset, bytes.byteLength - offset)
      }
    },
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after: (durationMs, task) => {
      if (durationMs === 0) {
        // A timer would be due a millisecond from now at the earliest.
        const turn = setImmediate(task)
        return () => {
          clearImmediate(turn)
        }
      }
      const timer = setTimeout(task, durationMs)
      return () => {
        clearTimeout(timer)
      }
    },
    fillRandom: (bytes) => {
      crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
    }
  }
}

async function listen(take: (piece: Uint8Array) => void): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES)
  const closed = Promise.withResolvers<void>()
  const socket = new Socket({
    fd: STDIN,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback: (length) => {
        take(buffer.subarray(0, length))
        return true
      }
    }
  })
  socket.on('error', () => undefined)
  socket.once('close', () => closed.resolve())
  socket.resume()
  await closed.promise
}
