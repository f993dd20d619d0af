/**
 * What the runtime module hands to a script: functions of WASI preview 1 that take addresses and answer error numbers,
 * a buffer in its memory, and native text conversion. It exists while the globals are set up and is gone before a
 * line of the author's runs.
 *
 * @see capsule-host/toolchain/runtime-module.ts
 */
export interface RawSystem {
  /** A buffer that lies at `address` of the module's memory. */
  readonly buffer: ArrayBuffer
  readonly address: number
  args_get(pointers: number, text: number): number
  args_sizes_get(count: number, bytes: number): number
  clock_time_get(clock: number, precision: number, result: number): number
  fd_fdstat_set_flags(descriptor: number, flags: number): number
  fd_read(descriptor: number, vectors: number, count: number, result: number): number
  fd_write(descriptor: number, vectors: number, count: number, result: number): number
  poll_oneoff(subscriptions: number, events: number, count: number, result: number): number
  proc_exit(code: number): never
  random_get(address: number, length: number): number
  /** UTF-8 of a string; a lone surrogate comes out as three bytes of its own, which is not UTF-8. */
  text_encode(text: string): ArrayBuffer
  /** The string of `length` bytes at `offset`; lenient about what is not UTF-8. */
  text_decode(buffer: ArrayBufferLike, offset: number, length: number): string
}
