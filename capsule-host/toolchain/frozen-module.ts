import { PAGE_BYTES } from '../constants.ts'
import { BinaryReader, encodeU32, malformed } from '../wasm/binary-reader.ts'
import { concatenate } from '../wasm/concatenate.ts'
import { EXTERNAL_KIND, readExports, SECTION, type ModuleExport } from '../wasm/sections.ts'
import type { ModuleState } from './snapshot.ts'

const HEAD_BYTES = 8
const GLOBAL_SECTION = 6
const DATA_COUNT_SECTION = 12
const DATA_SECTION = 11
const GLOBAL_KIND = 3
const I32 = 0x7f
const OPCODE = { i32Const: 0x41, end: 0x0b } as const
/** Zeros between two pieces of memory that are worth a segment of their own: its head takes about that many bytes. */
const GAP_BYTES_MIN = 16

interface Section {
  readonly id: number
  readonly body: Uint8Array
}

/**
 * The module `runtime` in the state `state`: the same code, with its memory and globals as they are there and nothing
 * exported but `memory` and `_start`. What Wizer does, for a module that is known.
 *
 * @throws CapsuleError `ERR_MODULE_INVALID` when `runtime` is no module of the toolchain
 * @see https://github.com/bytecodealliance/wizer
 */
export function freezeModule(runtime: Uint8Array, state: ModuleState): Uint8Array<ArrayBuffer> {
  const sections = readSections(runtime)
  const exportSection = sections.find(({ id }) => id === SECTION.export)
  if (exportSection === undefined) throw malformed('exports', 'none')
  const exports = readExports(new BinaryReader(exportSection.body))
  const parts: Uint8Array[] = [runtime.subarray(0, HEAD_BYTES)]
  for (const { id, body } of sections) {
    if (id === SECTION.custom || id === DATA_COUNT_SECTION || id === DATA_SECTION) continue
    parts.push(encodeSection(id, frozenBody({ id, body }, exports, state)))
  }
  parts.push(encodeSection(DATA_SECTION, dataBody(state.memory)))
  return concatenate(parts)
}

function readSections(bytes: Uint8Array): Section[] {
  const reader = new BinaryReader(bytes, HEAD_BYTES)
  const sections: Section[] = []
  while (!reader.isAtEnd) sections.push({ id: reader.byte(), body: reader.take(reader.u32()) })
  return sections
}

function frozenBody(
  { id, body }: Section,
  exports: ReadonlyMap<string, ModuleExport>,
  state: ModuleState
): Uint8Array {
  if (id === SECTION.memory) return memoryBody(body, state.memory.byteLength / PAGE_BYTES)
  if (id === GLOBAL_SECTION) return globalBody(body, globalValues(exports, state))
  if (id === SECTION.export) return exportBody(exports)
  return body
}

function memoryBody(body: Uint8Array, pages: number): Uint8Array {
  const reader = new BinaryReader(body)
  if (reader.u32() !== 1) throw malformed('one memory', 'more or none')
  const hasMax = reader.byte() === 1
  reader.u32()
  return Uint8Array.from([
    1,
    hasMax ? 1 : 0,
    ...encodeU32(pages),
    ...(hasMax ? encodeU32(Math.max(pages, reader.u32())) : [])
  ])
}

function globalValues(
  exports: ReadonlyMap<string, ModuleExport>,
  state: ModuleState
): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(state.globals).map(([name, value]) => {
      const found = exports.get(name)
      if (found?.kind !== GLOBAL_KIND) throw malformed(`an exported global ${name}`, 'none')
      return [found.index, value]
    })
  )
}

/** Every global of the runtime is an i32 that starts as a constant; those of the state start as they are there. */
function globalBody(body: Uint8Array, values: ReadonlyMap<number, number>): Uint8Array {
  const reader = new BinaryReader(body)
  const count = reader.u32()
  const written = encodeU32(count)
  for (let index = 0; index < count; index++) {
    const [type, mutability, opcode] = [reader.byte(), reader.byte(), reader.byte()]
    if (type !== I32 || opcode !== OPCODE.i32Const) throw malformed('globals that are numbers', 'another')
    const initial = readSigned(reader)
    if (reader.byte() !== OPCODE.end) throw malformed('globals that start as constants', 'another')
    const value = values.get(index) ?? initial
    written.push(type, mutability, opcode, ...encodeSigned(value), OPCODE.end)
  }
  return Uint8Array.from(written)
}

function exportBody(exports: ReadonlyMap<string, ModuleExport>): Uint8Array {
  const kept = [
    { name: 'memory', kind: EXTERNAL_KIND.memory },
    { name: '_start', kind: EXTERNAL_KIND.function }
  ].flatMap(({ name, kind }) => {
    const found = exports.get(name)
    if (found?.kind !== kind) throw malformed(`an export ${name}`, 'none')
    return [...encodeName(name), kind, ...encodeU32(found.index)]
  })
  return Uint8Array.from([2, ...kept])
}

/** What is not zero in `memory`, as active segments. */
function dataBody(memory: Uint8Array): Uint8Array {
  const segments: Uint8Array[] = []
  for (const { start, end } of filledRanges(memory)) {
    const head = [0, OPCODE.i32Const, ...encodeSigned(start), OPCODE.end, ...encodeU32(end - start)]
    segments.push(Uint8Array.from(head), memory.subarray(start, end))
  }
  return concatenate([Uint8Array.from(encodeU32(segments.length / 2)), ...segments])
}

function* filledRanges(memory: Uint8Array): Generator<{ start: number; end: number }> {
  let start = -1
  let end = 0
  for (let index = 0; index < memory.byteLength; index++) {
    if (memory[index] === 0) continue
    if (start !== -1 && index - end >= GAP_BYTES_MIN) {
      yield { start, end }
      start = -1
    }
    if (start === -1) start = index
    end = index + 1
  }
  if (start !== -1) yield { start, end }
}

function encodeSection(id: number, body: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.from([id, ...encodeU32(body.byteLength)]), body])
}

function encodeName(name: string): number[] {
  const bytes = new TextEncoder().encode(name)
  return [...encodeU32(bytes.byteLength), ...bytes]
}

/** A signed 32-bit number in LEB128. */
function encodeSigned(value: number): number[] {
  const bytes: number[] = []
  let left = value | 0
  for (;;) {
    const low = left & 0x7f
    left >>= 7
    const isLast = (left === 0 && (low & 0x40) === 0) || (left === -1 && (low & 0x40) !== 0)
    bytes.push(isLast ? low : low | 0x80)
    if (isLast) return bytes
  }
}

function readSigned(reader: BinaryReader): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = reader.byte()
    value |= (byte & 0x7f) << shift
    if ((byte & 0x80) !== 0) continue
    return shift < 25 && (byte & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value
  }
  throw malformed('a number of 32 bits', 'a larger one')
}
