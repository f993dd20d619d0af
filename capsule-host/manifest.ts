import * as z from 'zod'
import { parseCommandPattern, parseResourcePattern } from '#capability'
import {
  CAPABILITIES_MAX,
  CAPSULE_REFERENCE_LENGTH_MAX,
  COMMAND_LENGTH_MAX,
  CONTRACT_LENGTH_MAX,
  CONTRACTS_MAX,
  DESCRIPTION_LENGTH_MAX,
  MANIFEST_BYTES_MAX,
  MANIFEST_VERSION,
  NAME_LENGTH_MAX,
  PACKAGE_PATH_LENGTH_MAX,
  POWERS_MAX,
  REASON_LENGTH_MAX,
  RESOURCE_LENGTH_MAX,
  VERSION_LENGTH_MAX
} from './constants.ts'
import { CapsuleError } from './errors.ts'
import {
  CAPSULE_LIMIT_CEILINGS,
  CAPSULE_LIMIT_FLOORS,
  CAPSULE_LIMIT_NAMES,
  type CapsuleLimits,
  type PartialLimits
} from './limits.ts'
import { PRINTABLE_TEXT, printable } from './text.ts'

/** What a capsule runs on. `native` does not yet. */
export type CapsuleSubstrate = 'wasm' | 'microvm' | 'native'

/** How a capsule is spoken to over its standard streams: plain bytes, or the Model Context Protocol. */
export type CapsuleInterface = 'stdio' | 'mcp'

/** What a capsule's sources are written in. */
export type CapsuleLanguage = 'assemblyscript' | 'typescript' | 'c' | 'rust' | 'go'

/** How `capsule build` makes the entry. */
export interface CapsuleBuild {
  readonly language: CapsuleLanguage
  /** The source it starts from, inside the package. */
  readonly source: string
}

/** One line of the ceiling: something the capsule may ask for, and why, in its author's words. */
export interface ManifestCapability {
  /** `localhost/read`, or `localhost/*` for every command of a contract. */
  readonly command: string
  /** A URI, such as `localhost://notes/a.txt`, or one that ends in `/*` for all below it. */
  readonly resource: string
  /** The author's claim, on one line. Nobody checked it. */
  readonly reason: string
}

/** A contract the capsule calls, such as `localhost@1`. */
export interface ManifestRequirement {
  readonly contract: string
  /** The lineage (`did:key:…/NAME`) or CID of the capsule that shall serve it; else whichever the user chose. */
  readonly capsule?: string | undefined
}

/** A parsed manifest. */
export interface CapsuleManifest {
  readonly manifest: typeof MANIFEST_VERSION
  readonly name: string
  /** Semantic version 2.0.0. */
  readonly version: string
  readonly description?: string | undefined
  readonly substrate: CapsuleSubstrate
  /** The module, or the root image of a microVM, inside the package. */
  readonly entry: string
  /** Of a microVM: the program by its path in the image, then its first arguments. */
  readonly program?: readonly string[] | undefined
  /** Of a microVM: the folder that `capsule build` makes the image of; no part of the package. */
  readonly image?: string | undefined
  readonly interface: CapsuleInterface
  /** The ceiling: the most it may ever be granted. It holds none of it when it starts. */
  readonly capabilities: readonly ManifestCapability[]
  /** Contracts it calls. */
  readonly requires: readonly ManifestRequirement[]
  /** Contracts it serves to other capsules, such as `localhost@1`. */
  readonly provides: readonly string[]
  /** Powers of the host it needs; given to capsules of this release and to those their user approved for it. */
  readonly powers: readonly string[]
  /** Whether it wants the files of its lineage as the folder `/data`. Each access still needs a grant. */
  readonly files: boolean
  /** Whether the engine shall compile all of it at its best before it runs: slow to start, fast in long loops. */
  readonly optimize: boolean
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
const FOLDER = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/
const PROGRAM_STRINGS_MAX = 64
const PROGRAM_STRING_LENGTH_MAX = 1024
const COMMAND = /^[a-z][a-z0-9-]*\/(?:[a-z][a-z0-9-]*|\*)$/
const RESOURCE = /^[a-z][a-z0-9-]*:\/\/[\x21-\x7e]*$/
const CONTRACT = /^[a-z][a-z0-9-]*@[1-9][0-9]{0,3}$/
const POWER = /^[a-z][a-z0-9-]*$/
const CAPSULE_REFERENCE = /^(?:did:key:z[1-9A-HJ-NP-Za-km-z]+\/[a-z0-9-]+|[a-z0-9]+)$/

const limit = (name: keyof CapsuleLimits): z.ZodOptional<z.ZodInt> =>
  z.int().min(CAPSULE_LIMIT_FLOORS[name]).max(CAPSULE_LIMIT_CEILINGS[name]).optional()

const line = (lengthMax: number): z.ZodString =>
  z.string().max(lengthMax).regex(PRINTABLE_TEXT, 'expected one line without control characters')

const path = (extensions: string, example: string): z.ZodString =>
  z.string().max(PACKAGE_PATH_LENGTH_MAX).regex(PATH_OF(extensions), `expected a path such as ${example}`)

const contract = (): z.ZodString =>
  z.string().max(CONTRACT_LENGTH_MAX).regex(CONTRACT, 'expected a contract such as localhost@1')

const limitsSchema = z.strictObject(
  Object.fromEntries(CAPSULE_LIMIT_NAMES.map((name) => [name, limit(name)])) as {
    [K in keyof CapsuleLimits]: z.ZodOptional<z.ZodInt>
  }
)

/** What is in the ceiling is compared with what is asked for, so it must have the one form that has. */
function isNormal(parse: (text: string) => string, text: string): boolean {
  try {
    return parse(text) === text
  } catch {
    return false
  }
}

const capabilitySchema = z.strictObject({
  command: z
    .string()
    .max(COMMAND_LENGTH_MAX)
    .regex(COMMAND, 'expected a command such as localhost/read, or localhost/*')
    .refine((text) => isNormal(parseCommandPattern, text), 'expected words of at most 32 characters'),
  resource: z
    .string()
    .max(RESOURCE_LENGTH_MAX)
    .regex(RESOURCE, 'expected a resource such as localhost://notes/*')
    .refine(
      (text) => isNormal(parseResourcePattern, text),
      'expected a resource in its normal form, such as localhost://notes/*'
    ),
  reason: line(REASON_LENGTH_MAX).min(1).describe('Why, in words its user understands. Shown as a claim.')
})

const requirementSchema = z.strictObject({
  contract: contract(),
  capsule: z
    .string()
    .max(CAPSULE_REFERENCE_LENGTH_MAX)
    .regex(CAPSULE_REFERENCE, 'expected did:key:…/NAME or a CID')
    .optional()
    .describe('The lineage or CID of the capsule that shall serve it.')
})

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
  description: line(DESCRIPTION_LENGTH_MAX).optional(),
  substrate: z
    .enum(['wasm', 'microvm', 'native'])
    .describe('What it runs on: WebAssembly, or a machine of its own. native is not run yet.'),
  entry: path('(?:wasm|erofs)', 'build/hello.wasm').describe(
    'The module, or the root image of a microVM, a path inside the package.'
  ),
  program: z
    .array(
      z
        .string()
        .max(PROGRAM_STRING_LENGTH_MAX)
        .regex(/^[^\0]*$/, 'expected no zero characters')
    )
    .min(1)
    .max(PROGRAM_STRINGS_MAX)
    .optional()
    .describe('Of a microVM: the program by its path in the image, then its first arguments.'),
  image: z
    .string()
    .max(NAME_LENGTH_MAX)
    .regex(FOLDER, 'expected the name of a folder')
    .optional()
    .describe('Of a microVM: the folder that `capsule build` makes the image of; no part of the package.'),
  interface: z
    .enum(['stdio', 'mcp'])
    .default('stdio')
    .describe('How it is spoken to over its standard streams.'),
  capabilities: z
    .array(capabilitySchema)
    .max(CAPABILITIES_MAX)
    .default([])
    .describe('The ceiling: the most it may ever be granted. It holds none of it when it starts.'),
  requires: z.array(requirementSchema).max(CONTRACTS_MAX).default([]).describe('Contracts it calls.'),
  provides: z.array(contract()).max(CONTRACTS_MAX).default([]).describe('Contracts it serves.'),
  powers: z
    .array(z.string().max(CONTRACT_LENGTH_MAX).regex(POWER, 'expected the name of a power'))
    .max(POWERS_MAX)
    .default([])
    .describe('Powers of the host it needs; only for capsules the user approved for them.'),
  files: z.boolean().default(false).describe('Whether it wants the files of its lineage as /data.'),
  optimize: z
    .boolean()
    .default(false)
    .describe('Compile all of it at its best first: slow to start, fast in long loops.'),
  limits: limitsSchema.default({}),
  build: z
    .strictObject({
      language: z.enum(['assemblyscript', 'typescript', 'c', 'rust', 'go']),
      source: path('(?:ts|c|rs|go)', 'assembly/index.ts')
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
  if (parsed.data.substrate === 'native') {
    throw new CapsuleError(
      'ERR_SUBSTRATE_UNSUPPORTED',
      'expected a capsule for wasm or a microVM, got one for native, which this node cannot run'
    )
  }
  checkSubstrate(parsed.data)
  return parsed.data
}

/** What only one substrate has. */
function checkSubstrate({ substrate, entry, program, image, build, files, optimize }: CapsuleManifest): void {
  if (substrate === 'wasm') {
    if (!entry.endsWith('.wasm')) throw invalid('expected an entry that ends in .wasm')
    if (program !== undefined || image !== undefined)
      throw invalid('expected program and image of a microVM only')
    return
  }
  if (!entry.endsWith('.erofs')) throw invalid('expected an entry of a microVM that ends in .erofs')
  if (program?.[0]?.startsWith('/') !== true) {
    throw invalid('expected the program of a microVM by its path from the root of its image')
  }
  if (build !== undefined || files || optimize)
    throw invalid('expected no build, files or optimize of a microVM')
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
