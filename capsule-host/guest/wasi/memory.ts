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
  /** Of the buffer that was seen last: most accesses are of a few bytes, and a view costs more than they do. */
  #lastView: DataView = new DataView(new ArrayBuffer(0))

  /** Hands over the instance's memory; calls before that answer `FAULT`. */
  attach(memory: MemoryLike): void {
    this.#memory = memory
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
    const buffer = this.#memory?.buffer
    const start = address >>> 0
    const size = length >>> 0
    if (buffer === undefined || start + size > buffer.byteLength) throw new WasiError(ERRNO.fault)
    return new Uint8Array(buffer, start, size)
  }

  /** Reads an unsigned 16-bit number. */
  u16(address: number): number {
    return this.#view(address, 2).getUint16(address >>> 0, true)
  }

  /** Reads an unsigned 32-bit number. */
  u32(address: number): number {
    return this.#view(address, 4).getUint32(address >>> 0, true)
  }

  /** Reads an unsigned 64-bit number. */
  u64(address: number): bigint {
    return this.#view(address, 8).getBigUint64(address >>> 0, true)
  }

  /** Writes an unsigned 32-bit number. */
  setU32(address: number, value: number): void {
    this.#view(address, 4).setUint32(address >>> 0, value, true)
  }

  /** Writes an unsigned 64-bit number. */
  setU64(address: number, value: bigint): void {
    this.#view(address, 8).setBigUint64(address >>> 0, value, true)
  }

  /** A view of all of the memory, in which `length` bytes at `address` are. */
  #view(address: number, length: number): DataView {
    const buffer = this.#memory?.buffer
    if (buffer === undefined || (address >>> 0) + length > buffer.byteLength) throw new WasiError(ERRNO.fault)
    if (this.#lastView.buffer !== buffer) this.#lastView = new DataView(buffer)
    return this.#lastView
  }
}
