import { writeSync } from 'node:fs'

/** What the guest process takes from its operating system: two pipes, a clock, randomness. */
export interface GuestPowers {
  /** Frames from the host, until it closes the pipe. */
  readonly input: AsyncIterable<Uint8Array>
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

const STDOUT = 1

/** The guest process's own powers. */
export function guestPowers(): GuestPowers {
  return {
    input: process.stdin,
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
