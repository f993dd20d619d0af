import { crc32 } from 'node:zlib'

/** The polynomial of CRC-32 (ISO 3309), bits reversed. */
const POLYNOMIAL = 0xedb8_8320
/** Bytes from which on the engine's own, which takes milliseconds to load, is worth its price. */
const SCRIPT_BYTES_MAX = 1024 * 1024

const TABLE = makeTable()
let scriptBytes = 0

/** CRC-32 of `bytes` from `start` up to `end`. What a program writes is mostly a few lines; for those nothing more is loaded. */
export function checksum(bytes: Uint8Array, start: number = 0, end: number = bytes.length): number {
  if (scriptBytes > SCRIPT_BYTES_MAX) return crc32(bytes.subarray(start, end))
  scriptBytes += end - start
  let crc = -1
  // By index: an iterator costs more than the sum, and nothing has warmed up when most programs end.
  for (let at = start; at < end; at++) crc = (TABLE[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_none, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    return value
  })
}
