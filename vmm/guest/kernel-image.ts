import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { VmmError } from '../errors.ts'
import { LZ4_LEGACY_MAGIC, unpackLz4Legacy } from './lz4.ts'

/** A kernel unpacked has at most this many bytes. */
const KERNEL_BYTES_MAX = 256 * 1024 * 1024
/** Offsets of the real-mode header of x86. */
const BOOT = {
  setupSectors: 0x1f1,
  magic: 0x202,
  version: 0x206,
  payloadOffset: 0x248,
  payloadLength: 0x24c
} as const
const BOOT_MAGIC = 0x5372_6448
/** The first version of the header that tells where the payload is. */
const BOOT_VERSION_MIN = 0x0208
const SECTOR_BYTES = 512
const ELF_MAGIC = 0x464c_457f
const GZIP_MAGIC = 0x8b1f
const ZSTD_MAGIC = 0xfd2f_b528

/** Offsets of a 64-bit ELF header and of its program headers. */
const ELF = {
  programs: 32,
  sections: 40,
  programBytes: 54,
  programCount: 56,
  sectionCount: 60,
  sectionNames: 62
} as const
const PROGRAM = { offset: 8, fileBytes: 32 } as const

/**
 * The ELF kernel inside a `bzImage`, which monitors start without its own unpacking: under emulation that alone takes longer
 * than all the rest. What no machine loads (symbols, sections) is cut off.
 *
 * @throws VmmError `ERR_VM_GUEST_BUILD` for a file that is none, or packed in another way than gzip, LZ4 or Zstandard
 * @see https://www.kernel.org/doc/html/latest/arch/x86/boot.html
 */
export function extractKernel(image: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength)
  if (image.byteLength < 1024 || view.getUint32(BOOT.magic, true) !== BOOT_MAGIC) throw refusal('a bzImage')
  if (view.getUint16(BOOT.version, true) < BOOT_VERSION_MIN)
    throw refusal('a bzImage that tells where its payload is')
  const start =
    (view.getUint8(BOOT.setupSectors) + 1) * SECTOR_BYTES + view.getUint32(BOOT.payloadOffset, true)
  const end = start + view.getUint32(BOOT.payloadLength, true)
  if (end > image.byteLength || end - start < 8) throw refusal('a bzImage that is whole')
  return loadedPart(unpack(image.subarray(start, end)))
}

/** The payload ends with its unpacked size, which only gzip has itself. */
function unpack(payload: Uint8Array): Uint8Array {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const limit = { maxOutputLength: KERNEL_BYTES_MAX }
  const withoutSize = payload.subarray(0, -4)
  if (view.getUint16(0, true) === GZIP_MAGIC) return gunzipSync(payload, limit)
  if (view.getUint32(0, true) === ZSTD_MAGIC) return zstdDecompressSync(withoutSize, limit)
  if (view.getUint32(0, true) === LZ4_LEGACY_MAGIC) return unpackLz4Legacy(withoutSize, KERNEL_BYTES_MAX)
  throw refusal('a kernel packed by gzip, LZ4 or Zstandard')
}

/** An ELF file up to the end of its last segment, its sections forgotten. */
function loadedPart(kernel: Uint8Array): Uint8Array {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength)
  if (kernel.byteLength < 64 || view.getUint32(0, true) !== ELF_MAGIC) throw refusal('an ELF kernel')
  const first = Number(view.getBigUint64(ELF.programs, true))
  const bytes = view.getUint16(ELF.programBytes, true)
  const count = view.getUint16(ELF.programCount, true)
  let end = first + bytes * count
  if (count === 0 || end > kernel.byteLength) throw refusal('an ELF kernel with segments')
  for (let index = 0; index < count; index += 1) {
    const at = first + index * bytes
    const offset = Number(view.getBigUint64(at + PROGRAM.offset, true))
    end = Math.max(end, offset + Number(view.getBigUint64(at + PROGRAM.fileBytes, true)))
  }
  if (end > kernel.byteLength) throw refusal('an ELF kernel that is whole')
  const loaded = Uint8Array.from(kernel.subarray(0, end))
  const head = new DataView(loaded.buffer)
  head.setBigUint64(ELF.sections, 0n, true)
  head.setUint16(ELF.sectionCount, 0, true)
  head.setUint16(ELF.sectionNames, 0, true)
  return loaded
}

function refusal(expected: string): VmmError {
  return new VmmError('ERR_VM_GUEST_BUILD', `expected ${expected}`)
}
