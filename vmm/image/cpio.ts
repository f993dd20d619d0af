import { VmmError } from '../errors.ts'
import { compareBytes } from './entries.ts'

/** A file, folder or device of an initial file system. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly isExecutable?: boolean
      readonly content: Uint8Array
    }
  /** A character device by its numbers. */
  | { readonly kind: 'device'; readonly path: string; readonly major: number; readonly minor: number }

const MODES = { folder: 0o040755, file: 0o100644, device: 0o020600 } as const
const EXECUTABLE = 0o111
const ALIGNMENT = 4

/**
 * An initial file system in the `newc` form of cpio, as the kernel unpacks it: entries by the order of their bytes, owned by
 * root, from 1970. The same entries make the same bytes.
 *
 * @throws VmmError `ERR_VM_IMAGE` when two entries have one path
 * @see https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html
 */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = entries.toSorted((a, b) => compareBytes(a.path, b.path))
  const twice = sorted.find((entry, index) => entry.path === sorted[index - 1]?.path)
  if (twice !== undefined) throw new VmmError('ERR_VM_IMAGE', `expected ${twice.path} once`)
  const parts = sorted.flatMap((entry, index) => {
    const content = entry.kind === 'file' ? entry.content : new Uint8Array(0)
    const isExecutable = entry.kind === 'file' && entry.isExecutable === true
    const mode = MODES[entry.kind] | (isExecutable ? EXECUTABLE : 0)
    const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0]
    const links = entry.kind === 'folder' ? 2 : 1
    const head = headOf(entry.path, {
      inode: index + 1,
      mode,
      links,
      bytes: content.byteLength,
      major,
      minor
    })
    return [head, content, gapAfter(content.byteLength)]
  })
  const end = headOf('TRAILER!!!', { inode: 0, mode: 0, links: 1, bytes: 0, major: 0, minor: 0 })
  return Buffer.concat([...parts, end])
}

interface Head {
  readonly inode: number
  readonly mode: number
  readonly links: number
  readonly bytes: number
  readonly major: number
  readonly minor: number
}

function headOf(path: string, { inode, mode, links, bytes, major, minor }: Head): Uint8Array {
  const name = Buffer.from(`${path}\0`)
  const numbers = [inode, mode, 0, 0, links, 0, bytes, 0, 0, major, minor, name.byteLength, 0]
  const text = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`
  const head = Buffer.concat([Buffer.from(text, 'latin1'), name])
  return Buffer.concat([head, gapAfter(head.byteLength)])
}

function gapAfter(bytes: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT)
}
