import { VmmError } from '../errors.ts'

const BLOCK_BYTES_MAX = 8 * 1024 * 1024
const MATCH_BYTES_MIN = 4

/** `LZ4` in the legacy frame that kernels are packed in: 02 21 4c 18, little-endian. */
export const LZ4_LEGACY_MAGIC = 0x184c_2102

/**
 * Unpacks an LZ4 legacy frame: the magic, then blocks with their lengths, each up to 8 MiB unpacked.
 *
 * @param bytesMax - how much it may unpack to
 * @throws VmmError `ERR_VM_GUEST_BUILD` for bytes that are none
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md#legacy-frame
 */
export function unpackLz4Legacy(packed: Uint8Array, bytesMax: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const blocks: Uint8Array[] = []
  let unpackedBytes = 0
  let at = 4
  while (at + 4 <= packed.byteLength) {
    const length = view.getUint32(at, true)
    at += 4
    if (length === 0 || at + length > packed.byteLength) throw refusal('a block that is whole')
    const room = Math.min(BLOCK_BYTES_MAX, bytesMax - unpackedBytes)
    const block = unpackBlock(packed.subarray(at, at + length), room)
    blocks.push(block)
    unpackedBytes += block.byteLength
    at += length
  }
  return Buffer.concat(blocks)
}

/**
 * Unpacks one block: sequences of literals and of matches that look back.
 *
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */
function unpackBlock(packed: Uint8Array, bytesMax: number): Uint8Array {
  const out = new Uint8Array(bytesMax)
  let at = 0
  let length = 0
  /** Fifteen means that bytes follow which say how much more; the last of them is not 255. */
  const readLength = (nibble: number): number => {
    let sum = nibble
    for (let more = nibble === 15 ? 255 : 0; more === 255;) {
      more = packed[at++] ?? 0
      sum += more
    }
    return sum
  }
  while (at < packed.byteLength) {
    const token = packed[at++] ?? 0
    const literals = readLength(token >> 4)
    if (at + literals > packed.byteLength || length + literals > bytesMax)
      throw refusal('literals within their block')
    out.set(packed.subarray(at, at + literals), length)
    at += literals
    length += literals
    if (at === packed.byteLength) break
    const distance = (packed[at] ?? 0) | ((packed[at + 1] ?? 0) << 8)
    at += 2
    const matched = MATCH_BYTES_MIN + readLength(token & 15)
    if (distance === 0 || distance > length || length + matched > bytesMax)
      throw refusal('a match within its block')
    // A match may reach into what it makes itself, and then repeats it.
    if (distance >= matched) out.copyWithin(length, length - distance, length - distance + matched)
    else for (let i = 0; i < matched; i += 1) out[length + i] = out[length + i - distance] ?? 0
    length += matched
  }
  return out.subarray(0, length)
}

function refusal(expected: string): VmmError {
  return new VmmError('ERR_VM_GUEST_BUILD', `expected in a packed kernel ${expected}`)
}
