import { createHash } from 'node:crypto'
import * as z from 'zod'
import { VM_GUEST_FILE_BYTES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import type { MachineArch } from '../plan/machine-plan.ts'

/** What a guest was built of, so that anybody can build the same: the same inputs make the same bytes. */
export interface GuestDescription {
  readonly version: 1
  readonly arch: MachineArch
  /** The package of Debian that the kernel and its modules are from. */
  readonly package: { readonly name: string; readonly version: string; readonly sha256: string }
  /** Of the sources of its first process, and who compiled them. */
  readonly init: { readonly sourcesSha256: string; readonly compiler: string }
  readonly kernelSha256: string
  readonly initrdSha256: string
}

/** A guest as it is published, fetched and kept: these files and no other. */
export interface GuestPackage {
  readonly description: GuestDescription
  /** `kernel`, `initrd` and `guest.json` by name. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** The file with the description of a guest. */
export const GUEST_DESCRIPTION = 'guest.json'
/** The signed block of a guest that was fetched, beside its files; a guest of one's own has none. */
export const GUEST_SIGNATURE = 'signed.cbor'
/** The files that a guest is, in the order of their names. */
export const GUEST_PACKAGE_FILES: readonly string[] = [GUEST_DESCRIPTION, 'initrd', 'kernel']
/** All that a folder with a guest holds. */
export const GUEST_FILES: ReadonlySet<string> = new Set([...GUEST_PACKAGE_FILES, GUEST_SIGNATURE])

const text = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x20-\x7e]*$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const schema: z.ZodType<GuestDescription> = z.strictObject({
  version: z.literal(1),
  arch: z.enum(['x86_64', 'aarch64']),
  package: z.strictObject({ name: text, version: text, sha256 }),
  init: z.strictObject({ sourcesSha256: sha256, compiler: text }),
  kernelSha256: sha256,
  initrdSha256: sha256
})

/**
 * Checks that files are a guest and as its description says. Pure.
 *
 * @param files - by name
 * @throws VmmError `ERR_VM_GUEST_INVALID`
 */
export function openGuest(files: ReadonlyMap<string, Uint8Array>, arch?: MachineArch): GuestPackage {
  const names = [...files.keys()].toSorted()
  if (names.join() !== GUEST_PACKAGE_FILES.join()) {
    throw invalid(
      `the files ${GUEST_PACKAGE_FILES.join(', ')}, got ${names.slice(0, 4).join(', ') || 'none'}`
    )
  }
  for (const [name, bytes] of files) {
    if (bytes.byteLength <= VM_GUEST_FILE_BYTES_MAX) continue
    throw invalid(`a ${name} of at most ${VM_GUEST_FILE_BYTES_MAX} bytes, got ${bytes.byteLength}`)
  }
  const description = parseDescription(files.get(GUEST_DESCRIPTION) ?? new Uint8Array(0))
  if (arch !== undefined && description.arch !== arch) {
    throw invalid(`one for ${arch}, got one for ${description.arch}`)
  }
  for (const [name, wanted] of [
    ['kernel', description.kernelSha256],
    ['initrd', description.initrdSha256]
  ] as const) {
    const got = createHash('sha256')
      .update(files.get(name) ?? '')
      .digest('hex')
    if (got !== wanted) throw invalid(`a ${name} with SHA-256 ${wanted} as it was built, got ${got}`)
  }
  return { description, files }
}

/** What the guest for a processor is called where it is published. */
export function guestName(arch: MachineArch): string {
  return arch === 'x86_64' ? 'guest-x86-64' : 'guest-arm64'
}

/** The version of a guest: its kernel's, and which first process is in it. */
export function guestVersion({ package: kernel, init }: GuestDescription): string {
  const [, major = '0', minor = '0', patch = '0'] =
    /^(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?/.exec(kernel.version) ?? []
  const number = [major, minor, patch].map(Number).join('.')
  return `${number}+init.${init.sourcesSha256.slice(0, 12)}`
}

function parseDescription(bytes: Uint8Array): GuestDescription {
  try {
    return schema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw new VmmError('ERR_VM_GUEST_INVALID', `expected a ${GUEST_DESCRIPTION} of version 1`, { cause })
  }
}

function invalid(expected: string): VmmError {
  return new VmmError('ERR_VM_GUEST_INVALID', `expected of a guest ${expected}`)
}
