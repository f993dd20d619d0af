import { MODULE_BYTES_MAX, PAGE_BYTES, TABLE_ELEMENTS_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { BinaryReader, encodeU32, malformed } from './binary-reader.ts'
import { concatenate } from './concatenate.ts'
import {
  EXTERNAL_KIND,
  readExports,
  readFunctions,
  readImports,
  readTypes,
  refusedFeature,
  rewriteMemories,
  rewriteTables,
  SECTION,
  type FunctionType,
  type ModuleExport,
  type ModuleLimits
} from './sections.ts'

const MAGIC = [0x00, 0x61, 0x73, 0x6d]
const VERSION_1 = [0x01, 0x00, 0x00, 0x00]
/** The order in which sections must stand; custom sections may stand anywhere. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]

/** What {@link admitModule} lets in. */
export interface AdmissionInit {
  /** Bytes of linear memory; rounded down to whole pages. */
  memoryBytesMax: number
}

/** A module that may be compiled. */
export interface AdmittedModule {
  /** The module with the maxima of its memory and tables lowered; the same bytes for the same input. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Bytes of memory it starts with, and may grow to. */
  readonly memoryBytesMin: number
  readonly memoryBytesMax: number
}

interface Survey {
  types: readonly FunctionType[]
  imports: readonly FunctionType[]
  functions: readonly FunctionType[]
  memories: readonly ModuleLimits[]
  exports: ReadonlyMap<string, ModuleExport>
}

/**
 * Decides, before anything is compiled, whether a module may run: imports only functions of WASI preview 1 with
 * their own types, has plain function types, tables of functions and one memory, exports `memory` and `_start`.
 * Code is left to the engine, whose validation this does not repeat.
 *
 * @throws CapsuleError `ERR_MODULE_TOO_LARGE`, `ERR_MODULE_INVALID`, `ERR_MODULE_IMPORT`, `ERR_MODULE_FEATURE`, or
 * `ERR_CAPSULE_MEMORY_LIMIT` when it starts with more memory than it may have
 */
export function admitModule(bytes: Uint8Array, init: AdmissionInit): AdmittedModule {
  if (bytes.byteLength > MODULE_BYTES_MAX) {
    throw new CapsuleError(
      'ERR_MODULE_TOO_LARGE',
      `expected a module of at most ${MODULE_BYTES_MAX} bytes, got ${bytes.byteLength}`
    )
  }
  const reader = new BinaryReader(bytes)
  const head = [...MAGIC, ...VERSION_1]
  if (!head.every((byte) => !reader.isAtEnd && reader.byte() === byte)) {
    throw malformed('the head of version 1', 'other bytes')
  }
  const survey: Survey = { types: [], imports: [], functions: [], memories: [], exports: new Map() }
  const parts: Uint8Array[] = [Uint8Array.from(head)]
  let lastOrder = -1
  while (!reader.isAtEnd) {
    const start = reader.position
    const id = reader.byte()
    const size = reader.u32()
    const body = new BinaryReader(bytes, reader.position, reader.position + reader.take(size).byteLength)
    lastOrder = checkOrder(id, lastOrder)
    const rewritten = surveySection({ id, body, survey, init })
    if (rewritten === undefined) parts.push(bytes.subarray(start, reader.position))
    else parts.push(Uint8Array.from([id, ...encodeU32(rewritten.byteLength)]), rewritten)
  }
  checkEntryPoints(survey)
  const memory = survey.memories[0] ?? { min: 0, max: 0 }
  return {
    bytes: concatenate(parts),
    memoryBytesMin: memory.min * PAGE_BYTES,
    memoryBytesMax: memory.max * PAGE_BYTES
  }
}

function checkOrder(id: number, lastOrder: number): number {
  if (id === SECTION.custom) return lastOrder
  if (id === SECTION.tag) throw refusedFeature('no exception tags', 'a tag section')
  const order = SECTION_ORDER.indexOf(id)
  if (order === -1) throw refusedFeature('known sections', `section ${id}`)
  if (order <= lastOrder) throw malformed('sections in order and once', `section ${id}`)
  return order
}

/** Reads one section into `survey`; returns its new body when its limits were lowered. */
function surveySection(section: {
  id: number
  body: BinaryReader
  survey: Survey
  init: AdmissionInit
}): Uint8Array | undefined {
  const { id, body, survey, init } = section
  let rewritten: Uint8Array | undefined
  if (id === SECTION.type) survey.types = readTypes(body)
  else if (id === SECTION.import) survey.imports = readImports(body, survey.types)
  else if (id === SECTION.function) survey.functions = readFunctions(body, survey.types)
  else if (id === SECTION.table) rewritten = rewriteTables(body, TABLE_ELEMENTS_MAX).body
  else if (id === SECTION.memory) {
    const memories = rewriteMemories(body, Math.floor(init.memoryBytesMax / PAGE_BYTES))
    survey.memories = memories.limits
    rewritten = memories.body
  } else if (id === SECTION.export) survey.exports = readExports(body)
  else return undefined
  if (!body.isAtEnd) throw malformed(`section ${id} read to its end`, 'more bytes')
  return rewritten
}

function checkEntryPoints({ imports, functions, memories, exports }: Survey): void {
  const memory = exports.get('memory')
  if (memory?.kind !== EXTERNAL_KIND.memory || memories.length === 0) {
    throw malformed('an exported memory named memory', 'none')
  }
  const start = exports.get('_start')
  if (start?.kind !== EXTERNAL_KIND.function) throw malformed('an exported function named _start', 'none')
  const type = [...imports, ...functions][start.index]
  if (type === undefined || type.parameters !== '' || type.results !== '') {
    throw malformed('a _start that takes and returns nothing', 'another type')
  }
}
