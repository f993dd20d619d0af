import {
  MODULE_EXPORTS_MAX,
  MODULE_FUNCTIONS_MAX,
  MODULE_IMPORTS_MAX,
  MODULE_TABLES_MAX,
  MODULE_TYPE_VALUES_MAX,
  MODULE_TYPES_MAX
} from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { WASI_MODULE, WASI_PARAMETERS_BY_NAME } from '../guest/wasi/signatures.ts'
import { encodeU32, malformed, type BinaryReader } from './binary-reader.ts'

/** Sections of the binary format that are looked into. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  export: 7,
  tag: 13
} as const

/** What an import or an export is. */
export const EXTERNAL_KIND = { function: 0, memory: 2 } as const

const FUNCTION_TYPE = 0x60
const FUNCREF = 0x70
/** Letters as in the table of WASI functions; f32, f64 and v128 are only told apart from the others. */
const VALUE_TYPES: ReadonlyMap<number, string> = new Map([
  [0x7f, 'i'],
  [0x7e, 'I'],
  [0x7d, 'f'],
  [0x7c, 'F'],
  [0x7b, 'v']
])

/** A function type: its parameters and results, a letter a value. */
export interface FunctionType {
  readonly parameters: string
  readonly results: string
}

/** One export. */
export interface ModuleExport {
  readonly kind: number
  readonly index: number
}

/** Limits of a table or a memory, in elements or pages. */
export interface ModuleLimits {
  readonly min: number
  readonly max: number
}

/** A section written anew, and what it declares. */
export interface RewrittenSection {
  readonly body: Uint8Array
  readonly limits: readonly ModuleLimits[]
}

/**
 * Reads the type section: plain function types over numbers and vectors.
 *
 * @throws CapsuleError `ERR_MODULE_FEATURE` for anything of the garbage collection or typed reference proposals
 */
export function readTypes(reader: BinaryReader): FunctionType[] {
  const count = reader.count('types', MODULE_TYPES_MAX)
  const types: FunctionType[] = []
  for (let index = 0; index < count; index++) {
    const form = reader.byte()
    if (form !== FUNCTION_TYPE) throw refusedFeature('plain function types', `type form ${hex(form)}`)
    types.push({ parameters: readValueTypes(reader), results: readValueTypes(reader) })
  }
  return types
}

function readValueTypes(reader: BinaryReader): string {
  const count = reader.count('values in a function type', MODULE_TYPE_VALUES_MAX)
  let letters = ''
  for (let index = 0; index < count; index++) {
    const code = reader.byte()
    const letter = VALUE_TYPES.get(code)
    if (letter === undefined)
      throw refusedFeature('numbers and vectors in function types', `type ${hex(code)}`)
    letters += letter
  }
  return letters
}

/**
 * Reads the import section, where only functions of WASI preview 1 may stand, and returns the type of each.
 *
 * @throws CapsuleError `ERR_MODULE_IMPORT`
 */
export function readImports(reader: BinaryReader, types: readonly FunctionType[]): FunctionType[] {
  const count = reader.count('imports', MODULE_IMPORTS_MAX)
  const imports: FunctionType[] = []
  for (let index = 0; index < count; index++) {
    const name = `${reader.name()}.${reader.name()}`
    const kind = reader.byte()
    if (kind !== EXTERNAL_KIND.function) throw refusedImport('only functions', name)
    const type = typeAt(types, reader.u32())
    checkImport(name, type)
    imports.push(type)
  }
  return imports
}

function checkImport(name: string, { parameters, results }: FunctionType): void {
  const prefix = `${WASI_MODULE}.`
  const expected = name.startsWith(prefix)
    ? WASI_PARAMETERS_BY_NAME.get(name.slice(prefix.length))
    : undefined
  if (expected === undefined) throw refusedImport(`only functions of ${WASI_MODULE}`, name)
  const expectedResults = name === `${prefix}proc_exit` ? '' : 'i'
  if (parameters !== expected || results !== expectedResults) {
    throw refusedImport(
      `the type (${expected}) -> (${expectedResults})`,
      `${name} as (${parameters}) -> (${results})`
    )
  }
}

/** Reads the function section: the type of each function the module defines. */
export function readFunctions(reader: BinaryReader, types: readonly FunctionType[]): FunctionType[] {
  const count = reader.count('functions', MODULE_FUNCTIONS_MAX)
  const functions: FunctionType[] = []
  for (let index = 0; index < count; index++) functions.push(typeAt(types, reader.u32()))
  return functions
}

/** Reads the export section. */
export function readExports(reader: BinaryReader): Map<string, ModuleExport> {
  const count = reader.count('exports', MODULE_EXPORTS_MAX)
  const exports = new Map<string, ModuleExport>()
  for (let index = 0; index < count; index++) {
    const name = reader.name()
    if (exports.has(name)) throw malformed('every export named once', JSON.stringify(name))
    exports.set(name, { kind: reader.byte(), index: reader.u32() })
  }
  return exports
}

/**
 * Reads the table section and writes it with a maximum of at most `elementsMax` on every table.
 *
 * @throws CapsuleError `ERR_MODULE_FEATURE` for tables of anything but functions, shared or 64-bit ones;
 * `ERR_CAPSULE_MEMORY_LIMIT` when a table starts larger than `elementsMax`
 */
export function rewriteTables(reader: BinaryReader, elementsMax: number): RewrittenSection {
  const count = reader.count('tables', MODULE_TABLES_MAX)
  const body = encodeU32(count)
  const limits: ModuleLimits[] = []
  for (let index = 0; index < count; index++) {
    const type = reader.byte()
    if (type !== FUNCREF) throw refusedFeature('tables of functions', `table type ${hex(type)}`)
    const capped = readLimits(reader, { what: 'table elements', max: elementsMax })
    body.push(type, 1, ...encodeU32(capped.min), ...encodeU32(capped.max))
    limits.push(capped)
  }
  return { body: Uint8Array.from(body), limits }
}

/**
 * Reads the memory section and writes it with a maximum of at most `pagesMax`.
 *
 * @throws CapsuleError `ERR_MODULE_FEATURE` for more than one memory, shared or 64-bit ones;
 * `ERR_CAPSULE_MEMORY_LIMIT` when the memory starts larger than `pagesMax`
 */
export function rewriteMemories(reader: BinaryReader, pagesMax: number): RewrittenSection {
  const count = reader.u32()
  if (count > 1) throw refusedFeature('one memory', String(count))
  const body = encodeU32(count)
  const limits: ModuleLimits[] = []
  for (let index = 0; index < count; index++) {
    const capped = readLimits(reader, { what: 'pages of memory', max: pagesMax })
    body.push(1, ...encodeU32(capped.min), ...encodeU32(capped.max))
    limits.push(capped)
  }
  return { body: Uint8Array.from(body), limits }
}

function readLimits(reader: BinaryReader, cap: { what: string; max: number }): ModuleLimits {
  const flags = reader.byte()
  if (flags > 1) throw refusedFeature('memory and tables neither shared nor 64-bit', `limits ${hex(flags)}`)
  const min = reader.u32()
  const declaredMax = flags === 1 ? reader.u32() : undefined
  if (declaredMax !== undefined && declaredMax < min) {
    throw malformed('a maximum not below the minimum', `${min} to ${declaredMax}`)
  }
  if (min > cap.max) {
    throw new CapsuleError(
      'ERR_CAPSULE_MEMORY_LIMIT',
      `expected a module that starts with at most ${cap.max} ${cap.what}, got ${min}`
    )
  }
  return { min, max: Math.min(declaredMax ?? cap.max, cap.max) }
}

function typeAt(types: readonly FunctionType[], index: number): FunctionType {
  const type = types[index]
  if (type === undefined) throw malformed(`a type below ${types.length}`, String(index))
  return type
}

/** The error of a module that uses what capsules may not. */
export function refusedFeature(expected: string, came: string): CapsuleError {
  return new CapsuleError('ERR_MODULE_FEATURE', `expected a module with ${expected}, got ${came}`)
}

function refusedImport(expected: string, came: string): CapsuleError {
  // The name is the module's own text: quoted, so that a control character in it stays harmless.
  return new CapsuleError(
    'ERR_MODULE_IMPORT',
    `expected ${expected} to be imported, got ${JSON.stringify(came)}`
  )
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}
