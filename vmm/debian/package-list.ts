import * as z from 'zod'
import { VM_DEBIAN_BYTES_MAX, VM_DEBIAN_NAMES_MAX, VM_DEBIAN_PACKAGES_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'

/** A package of Debian, down to its bytes. */
export interface LockedPackage {
  readonly name: string
  readonly version: string
  /** The processors it is for as Debian calls them, or `all`. */
  readonly arch: string
  readonly bytes: number
  /** Of the downloaded package, in hexadecimal digits. */
  readonly sha256: string
}

/** What was found for a list of packages: with it the same image can be made again. */
export interface PackageLock {
  readonly version: 1
  /** The processors it was found for, as Debian calls them. */
  readonly arch: string
  /** The list it was found for. */
  readonly wanted: readonly string[]
  /** Those and all they depend on, by name. */
  readonly packages: readonly LockedPackage[]
}

// Of deb-control(5) and deb-version(7); a name that could be taken for an option begins otherwise.
const name = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9+.-]+$/, 'expected the name of a package such as busybox-static')
const version = z
  .string()
  .max(128)
  .regex(/^[0-9A-Za-z][0-9A-Za-z.+~:-]*$/)
const arch = z
  .string()
  .max(32)
  .regex(/^[a-z0-9][a-z0-9-]*$/)
const wanted = z.array(name).min(1).max(VM_DEBIAN_NAMES_MAX)

const listSchema = z.strictObject({ version: z.literal(1), packages: wanted })
const lockSchema = z.strictObject({
  version: z.literal(1),
  arch,
  wanted,
  packages: z
    .array(
      z.strictObject({
        name,
        version,
        arch,
        bytes: z.int().min(1).max(VM_DEBIAN_BYTES_MAX),
        sha256: z.string().regex(/^[0-9a-f]{64}$/)
      })
    )
    .min(1)
    .max(VM_DEBIAN_PACKAGES_MAX)
})

/** Reads a list of packages, `debian.json`; sorted, each once. @throws VmmError `ERR_VM_PACKAGES` */
export function parsePackageList(text: string): string[] {
  const { packages } = parse(listSchema, text, 'list of packages')
  return [...new Set(packages)].toSorted()
}

/** Reads what was found for a list before. @throws VmmError `ERR_VM_PACKAGES` */
export function parsePackageLock(text: string): PackageLock {
  const lock = parse(lockSchema, text, 'record of packages')
  checkBounds(lock.packages)
  return lock
}

/** The record of what was found, as it is kept: the same for the same packages. */
export function formatPackageLock(lock: PackageLock): string {
  return `${JSON.stringify(lock, undefined, 2)}\n`
}

/** @throws VmmError `ERR_VM_PACKAGES` for more packages or bytes than an image is made of */
export function checkBounds(packages: readonly { readonly bytes: number }[]): void {
  const bytes = packages.reduce((sum, one) => sum + one.bytes, 0)
  if (packages.length <= VM_DEBIAN_PACKAGES_MAX && bytes <= VM_DEBIAN_BYTES_MAX) return
  throw new VmmError(
    'ERR_VM_PACKAGES',
    `expected at most ${VM_DEBIAN_PACKAGES_MAX} packages of ${VM_DEBIAN_BYTES_MAX} bytes in all, got ${packages.length} of ${bytes}`
  )
}

function parse<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new VmmError('ERR_VM_PACKAGES', `expected a ${what} in JSON`, { cause })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `
  throw new VmmError('ERR_VM_PACKAGES', `the ${what} is not valid: ${place}${issue?.message ?? ''}`, {
    cause: parsed.error
  })
}
