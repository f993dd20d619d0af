import * as z from 'zod'
import {
  CAPABILITIES_MAX,
  CAPABILITY_LENGTH_MAX,
  DESCRIPTION_LENGTH_MAX,
  MANIFEST_BYTES_MAX,
  MANIFEST_VERSION,
  NAME_LENGTH_MAX,
  PACKAGE_PATH_LENGTH_MAX,
  VERSION_LENGTH_MAX
} from './constants.ts'
import { CapsuleError } from './errors.ts'
import {
  CAPSULE_LIMIT_CEILINGS,
  CAPSULE_LIMIT_FLOORS,
  type CapsuleLimits,
  type PartialLimits
} from './limits.ts'
import { PRINTABLE_TEXT, printable } from './text.ts'

/** What a capsule runs on. Only `wasm` does today. */
export type CapsuleSubstrate = 'wasm' | 'microvm' | 'native'

/** How a capsule is spoken to over its standard streams: plain bytes, or the Model Context Protocol. */
export type CapsuleInterface = 'stdio' | 'mcp'

/** How `capsule build` makes the entry. */
export interface CapsuleBuild {
  readonly language: 'assemblyscript'
  /** The source it starts from, inside the package. */
  readonly source: string
}

/** A parsed manifest. */
export interface CapsuleManifest {
  readonly manifest: typeof MANIFEST_VERSION
  readonly name: string
  /** Semantic version 2.0.0. */
  readonly version: string
  readonly description?: string | undefined
  readonly substrate: CapsuleSubstrate
  /** The module, inside the package. */
  readonly entry: string
  readonly interface: CapsuleInterface
  /** The most it may ever be granted. Recorded; nothing is granted yet. */
  readonly capabilities: readonly string[]
  readonly limits: PartialLimits
  readonly build?: CapsuleBuild | undefined
}

const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
// https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
const NUMBER = '(?:0|[1-9]\\d*)'
const PRERELEASE = `(?:${NUMBER}|\\d*[a-zA-Z-][0-9a-zA-Z-]*)`
const SEMVER = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${PRERELEASE}(?:\\.${PRERELEASE})*)?(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$`
)
// Names that mean the same on every file system: no dot first, so neither `..` nor hidden files.
const PATH_OF = (extension: string): RegExp =>
  new RegExp(`^(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,15}[A-Za-z0-9_][A-Za-z0-9._-]*\\.${extension}$`)
const CAPABILITY = /^[\x21-\x7e]+$/

const limit = (name: keyof CapsuleLimits): z.ZodOptional<z.ZodInt> =>
  z.int().min(CAPSULE_LIMIT_FLOORS[name]).max(CAPSULE_LIMIT_CEILINGS[name]).optional()

/** The schema of a manifest; `docs/protocols/capsule-manifest.schema.json` is made from it. Unknown keys are refused. */
export const manifestSchema: z.ZodType<CapsuleManifest> = z.strictObject({
  manifest: z.literal(MANIFEST_VERSION).describe('Version of this format.'),
  name: z
    .string()
    .max(NAME_LENGTH_MAX)
    .regex(NAME, 'expected lower-case letters, digits and single hyphens')
    .describe('What its publisher calls it.'),
  version: z
    .string()
    .max(VERSION_LENGTH_MAX)
    .regex(SEMVER, 'expected a semantic version such as 1.0.0')
    .describe('Semantic version 2.0.0.'),
  description: z
    .string()
    .max(DESCRIPTION_LENGTH_MAX)
    .regex(PRINTABLE_TEXT, 'expected one line without control characters')
    .optional(),
  substrate: z.enum(['wasm', 'microvm', 'native']).describe('What it runs on; only wasm does today.'),
  entry: z
    .string()
    .max(PACKAGE_PATH_LENGTH_MAX)
    .regex(PATH_OF('wasm'), 'expected a path such as build/hello.wasm')
    .describe('The module, a path inside the package.'),
  interface: z
    .enum(['stdio', 'mcp'])
    .default('stdio')
    .describe('How it is spoken to over its standard streams.'),
  capabilities: z
    .array(z.string().max(CAPABILITY_LENGTH_MAX).regex(CAPABILITY, 'expected visible ASCII without spaces'))
    .max(CAPABILITIES_MAX)
    .default([])
    .describe('The most it may ever be granted. Nothing is granted yet.'),
  limits: z
    .strictObject({
      memoryBytesMax: limit('memoryBytesMax'),
      cpuSecondsMax: limit('cpuSecondsMax'),
      wallMsMax: limit('wallMsMax'),
      outputBytesMax: limit('outputBytesMax')
    })
    .default({}),
  build: z
    .strictObject({
      language: z.literal('assemblyscript'),
      source: z
        .string()
        .max(PACKAGE_PATH_LENGTH_MAX)
        .regex(PATH_OF('ts'), 'expected a path such as assembly/index.ts')
    })
    .optional()
    .describe('How `capsule build` makes the entry.')
})

/**
 * Reads a manifest: JSON in UTF-8, at most 64 KiB, each key once, none unknown.
 *
 * @throws CapsuleError `ERR_MANIFEST_TOO_LARGE`, `ERR_MANIFEST_INVALID`, or `ERR_SUBSTRATE_UNSUPPORTED` when it is
 * well-formed but made for a substrate this node does not have
 * @see docs/protocols/capsule.md
 */
export function parseManifest(bytes: Uint8Array): CapsuleManifest {
  if (bytes.byteLength > MANIFEST_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_MANIFEST_TOO_LARGE',
      `expected a manifest of at most ${MANIFEST_BYTES_MAX} bytes, got ${bytes.byteLength}`
    )
  }
  const parsed = manifestSchema.safeParse(parseJson(bytes))
  if (!parsed.success) throw invalid(describeIssue(parsed.error), parsed.error)
  if (parsed.data.substrate !== 'wasm') {
    throw new CapsuleError(
      'ERR_SUBSTRATE_UNSUPPORTED',
      `expected a capsule for wasm, got one for ${parsed.data.substrate}, which this node cannot run`
    )
  }
  return parsed.data
}

/** A capsule's name, checked by the rules of the manifest. */
export function isCapsuleName(name: string): boolean {
  return name.length <= NAME_LENGTH_MAX && NAME.test(name)
}

/** A capsule's version, checked by the rules of the manifest. */
export function isCapsuleVersion(version: string): boolean {
  return version.length <= VERSION_LENGTH_MAX && SEMVER.test(version)
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('expected JSON in UTF-8', cause)
  }
  // Readers disagree about which of two equal keys counts, and so about what was signed.
  if (countKeysInText(text) !== countKeys(value)) throw invalid('expected every key once')
  return value
}

const STRING_AND_COLON = /"(?:[^"\\]|\\.)*"\s*(:?)/gs

function countKeysInText(text: string): number {
  let count = 0
  for (const [, colon] of text.matchAll(STRING_AND_COLON)) if (colon === ':') count++
  return count
}

function countKeys(value: unknown): number {
  let count = 0
  const open = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    const children = Object.values(next) as unknown[]
    if (!Array.isArray(next)) count += children.length
    open.push(...children)
  }
  return count
}

function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'expected another shape'
  const place = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `
  return printable(`${place}${issue.message.slice(0, 1).toLowerCase()}${issue.message.slice(1)}`, 200)
}

function invalid(what: string, cause?: unknown): CapsuleError {
  return new CapsuleError('ERR_MANIFEST_INVALID', `the manifest is not valid: ${what}`, { cause })
}
