import type { System } from './system.ts'

const BYTES_MAX = 65_536

/** Chance for scripts. All of it comes from the host: what the engine seeded itself with was fixed at the build. */
export interface ScriptRandom {
  /** At least 0, below 1. */
  fraction(): number
  /** Fills an integer array and returns it. */
  fill<T extends ArrayBufferView>(array: T): T
  uuid(): string
}

/** Creates the chance of a script; the host is asked for some of it in advance. */
export function createRandom(system: Pick<System, 'fillRandom'>): ScriptRandom {
  const pool = new DataView(new ArrayBuffer(1024))
  let offset = pool.byteLength
  const word = (): number => {
    if (offset >= pool.byteLength) {
      system.fillRandom(new Uint8Array(pool.buffer))
      offset = 0
    }
    const value = pool.getUint32(offset)
    offset += 4
    return value
  }
  return {
    // 53 bits, as many as a number between 0 and 1 holds in equal steps.
    fraction: () => ((word() >>> 5) * 0x400_0000 + (word() >>> 6)) / 0x20_0000_0000_0000,
    fill: (array) => {
      if (array.byteLength > BYTES_MAX) throw new RangeError(`expected at most ${BYTES_MAX} bytes`)
      system.fillRandom(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
      return array
    },
    uuid: () => {
      const bytes = new Uint8Array(16)
      system.fillRandom(bytes)
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
        '-'
      )
    }
  }
}
