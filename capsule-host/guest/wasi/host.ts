import type { GuestInput } from '../streams.ts'
import type { DescriptorTable } from './descriptors.ts'
import type { GuestMemory } from './memory.ts'

/** A call that answers at once. i32 comes as a number, i64 as a bigint; types were checked on admission. */
export type WasiCall = (...values: never[]) => number
/** A call that may suspend the program. */
export type SuspendingWasiCall = (...values: never[]) => Promise<number>

/** Hears of each read of a file which bytes of which answers to {@link WasiHost.askFiles} it gave, in order. */
export interface FileReadLog {
  /** The number of the host's last answer, whatever its listener calls it. */
  readonly lastAnswer: number
  /** A read begins. */
  begin(): void
  /** `length` bytes from `offset` of an answer were its next. */
  add(answer: number, offset: number, length: number): void
}

/** What the calls act on: a program's streams, its channel, its files, a clock and randomness. Nothing else. */
export interface WasiHost {
  readonly memory: GuestMemory
  readonly descriptors: DescriptorTable
  /** `argv`, each with its closing zero. */
  readonly args: readonly Uint8Array[]
  /** Variables as `NAME=value`, each with its closing zero; none when absent, as for every capsule. */
  readonly environment?: readonly Uint8Array[]
  readonly stdin: GuestInput
  readonly channel: GuestInput
  /**
   * Asks the host about files, in at most one frame of 64 KiB both ways and one call at a time; `undefined` when this
   * program has no files.
   */
  readonly askFiles?: ((request: Uint8Array) => Promise<Uint8Array>) | undefined
  /** Told where what a program reads of its files comes from; absent when nobody wants to know. */
  readonly fileReads?: FileReadLog | undefined
  /** Writes all of `bytes` to descriptor 1, 2 or 3. */
  write(descriptor: number, bytes: Uint8Array): void
  /** Says that the program is done; called once, before the program is unwound. */
  exit(exitCode: number): void
  /** Wall-clock milliseconds. */
  nowMs(): number
  /** Milliseconds that never go back. */
  monotonicMs(): number
  /** Calls `task` once after `durationMs`; the returned function cancels it. */
  after(durationMs: number, task: () => void): () => void
  /** Fills at most {@link RANDOM_CHUNK_BYTES} bytes. */
  fillRandom(bytes: Uint8Array): void
}
