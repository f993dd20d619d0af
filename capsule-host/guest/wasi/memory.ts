import { ERRNO, WasiError } from './errno.ts'

/** The part of `WebAssembly.Memory` that is used. */
export interface MemoryLike {
  readonly buffer: ArrayBuffer | SharedArrayBuffer
}

/**
 * Checked access to a program's linear memory. Every address and length comes from the program; one outside its
 * memory answers `FAULT`. The buffer is taken anew at each access, because `memory.grow` replaces it.
 */
export class GuestMemory {
  #memory: MemoryLike | undefined
  /** What was there when it was last looked: asking the engine for it costs more than most accesses. */
  #buffer: ArrayBuffer | SharedArrayBuffer = new ArrayBuffer(0)
  #view: DataView = new DataView(this.#buffer)
  /** All of it; has no length any more once the memory has grown. */
  #all: Uint8Array = new Uint8Array(this.#buffer)

  /** Hands over the instance's memory; calls before that answer `FAULT`. */
  attach(memory: MemoryLike): void {
    this.#memory = memory
    this.#look()
  }

  /** Bytes of memory now; 0 before {@link attach}. */
  get byteLength(): number {
    return this.#memory?.buffer.byteLength ?? 0
  }

  /**
   * A view of `length` bytes at `address`; good until the program runs again.
   *
   * @throws WasiError `FAULT`
   */
  bytes(address: number, length: number): Uint8Array {
    const start = address >>> 0
    const size = length >>> 0
    if (start + size >= this.#all.length) this.#check(start + size)
    return new Uint8Array(this.#buffer, start, size)
  }

  /**
   * All of memory, in which there are `length` bytes at `address`; for those who would make a view for a few bytes only.
   *
   * @throws WasiError `FAULT`
   */
  around(address: number, length: number): Uint8Array {
    const end = (address >>> 0) + (length >>> 0)
    if (end >= this.#all.length) this.#check(end)
    return this.#all
  }

  /** Reads an unsigned 16-bit number. */
  u16(address: number): number {
    const start = address >>> 0
    if (start + 2 > this.#all.length) this.#check(start + 2)
    return this.#view.getUint16(start, true)
  }

  /** Reads an unsigned 32-bit number. */
  u32(address: number): number {
    const start = address >>> 0
    if (start + 4 > this.#all.length) this.#check(start + 4)
    return this.#view.getUint32(start, true)
  }

  /** Reads an unsigned 64-bit number. */
  u64(address: number): bigint {
    const start = address >>> 0
    if (start + 8 > this.#all.length) this.#check(start + 8)
    return this.#view.getBigUint64(start, true)
  }

  /** Writes an unsigned 32-bit number. */
  setU32(address: number, value: number): void {
    const start = address >>> 0
    if (start + 4 > this.#all.length) this.#check(start + 4)
    this.#view.setUint32(start, value, true)
  }

  /** Writes an unsigned 64-bit number. */
  setU64(address: number, value: bigint): void {
    const start = address >>> 0
    if (start + 8 > this.#all.length) this.#check(start + 8)
    this.#view.setBigUint64(start, value, true)
  }

  /** Sees to it that there is memory up to `end`. */
  #check(end: number): void {
    this.#look()
    if (this.#memory === undefined || end > this.#all.length) throw new WasiError(ERRNO.fault)
  }

  #look(): void {
    const buffer = this.#memory?.buffer
    if (buffer === undefined || buffer === this.#buffer) return
    this.#buffer = buffer
    this.#view = new DataView(buffer)
    this.#all = new Uint8Array(buffer)
  }
}
