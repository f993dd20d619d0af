import binaryen from 'binaryen'
import { WASI_MODULE, WASI_PARAMETERS, type WasiName } from '../guest/wasi/signatures.ts'

/**
 * Functions of WASI that a script's system is made of, in the order of their numbers. A script never sees them: the
 * globals of the SDK (`sdk/globals/`) wrap them. Files are not among them: scripts have them on their channel.
 */
export const SYSTEM_CALLS: readonly WasiName[] = [
  'args_get',
  'args_sizes_get',
  'clock_time_get',
  'fd_fdstat_set_flags',
  'fd_read',
  'fd_write',
  'poll_oneoff',
  'proc_exit',
  'random_get'
]

/** What scripts' globals are made of: the system, and conversions of text, at which the engine is far faster. */
export type HostCall = WasiName | 'text_encode' | 'text_decode'

/** Every host call, in the order of their numbers. */
export const HOST_CALLS: readonly HostCall[] = [...SYSTEM_CALLS, 'text_encode', 'text_decode']

/** The first byte of the name a system call is registered under; the one that follows is the next call's. */
export const HOST_CALL_NAME_START = 0x21

/** Exit code of a script that ended by an error of its own (EX_SOFTWARE of sysexits.h). */
export const SCRIPT_ERROR_EXIT_CODE = 70

/** What the toolchain calls while it prepares a capsule; a capsule itself exports `memory` and `_start` alone. */
export const SETUP_EXPORTS = [
  '_initialize',
  'qjs_call',
  'qjs_compile',
  'qjs_eval_bytecode',
  'qjs_get_array_buffer',
  'qjs_get_exception',
  'qjs_get_global',
  'qjs_get_prop_string',
  'qjs_get_string_len',
  'qjs_get_undefined',
  'qjs_init',
  'qjs_is_exception',
  'qjs_new_array_buffer',
  'qjs_new_host_function',
  'qjs_new_number',
  'qjs_new_object',
  'qjs_run_gc',
  'qjs_set_gc_threshold',
  'qjs_set_max_stack_size',
  'qjs_set_promise_rejection_handler',
  'qjs_set_prop_string',
  'wasm_free',
  'wasm_malloc'
] as const

/** Globals that hold what `_start` calls: pointers to QuickJS values, set by the toolchain, frozen into a capsule. */
export const HOOK_GLOBALS = ['turn', 'rejected'] as const

/** The name its own module gives the pointer of its stack. */
export const STACK_POINTER_EXPORT = '__stack_pointer'

/** Where `host_call(name, nameBytes, this, argc, argv)` has its arguments, and its locals. */
const HOST_CALL_ARGUMENTS = 4
const HOST_CALL_LOCALS = [5, 6, 7] as const

const { i32, i64, f64, none } = binaryen
type Module = binaryen.Module
type Expression = binaryen.ExpressionRef

/** Names of functions inside the module, by the name of their export. */
type Names = ReadonlyMap<string, string>

/**
 * Makes the runtime of TypeScript capsules out of QuickJS as a reactor: what it imports from its embedder is given
 * bodies here, and `_start` runs a script that the toolchain has put into its memory. What is left imports WASI alone.
 * The same QuickJS gives the same bytes.
 */
export function createRuntimeModule(quickjs: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(quickjs)
  try {
    const names = exportedFunctions(module)
    importSystemCalls(module)
    for (const name of HOOK_GLOBALS) module.addGlobal(name, i32, true, module.i32.const(0))
    defineEmbedder(module, names)
    defineStart(module, names)
    keepExports(module)
    module.runPasses(['remove-unused-module-elements'])
    if (module.validate() !== 1) throw new Error('expected a valid module, got another')
    return module.emitBinary()
  } finally {
    module.dispose()
  }
}

function exportedFunctions(module: Module): Names {
  const names = new Map<string, string>()
  for (let index = 0; index < module.getNumExports(); index++) {
    const { name, value, kind } = binaryen.getExportInfo(module.getExportByIndex(index))
    if (kind === binaryen.ExternalFunction) names.set(name, value)
  }
  return names
}

const WASM_TYPES: ReadonlyMap<string, binaryen.Type> = new Map([
  ['i', i32],
  ['I', i64]
])

function importSystemCalls(module: Module): void {
  for (const name of SYSTEM_CALLS) {
    const types = Array.from(WASI_PARAMETERS[name], (letter) => WASM_TYPES.get(letter) ?? none)
    const result = name === 'proc_exit' ? none : i32
    module.addFunctionImport(name, WASI_MODULE, name, binaryen.createType(types), result)
  }
}

/** Gives the functions that QuickJS imports from `env` bodies of their own. */
function defineEmbedder(module: Module, names: Names): void {
  const bodies: Readonly<Record<string, { locals?: binaryen.Type[]; body: () => Expression }>> = {
    host_call: { locals: [i32, i32, i32], body: () => dispatch(module, names) },
    host_promise_rejection: { locals: [i32], body: () => tellRejection(module, names) },
    // Nothing interrupts a script but the end of its process; a capsule is bundled, so nothing is left to load; its
    // clock is UTC.
    host_interrupt: { body: () => module.i32.const(0) },
    host_module_normalize: { body: () => module.i32.const(0) },
    host_module_load: { body: () => module.i32.const(0) },
    host_get_timezone_offset: { body: () => module.i32.const(0) }
  }
  for (const { name, base, params, results } of embedderImports(module)) {
    const definition = bodies[base ?? '']
    if (definition === undefined) throw new Error(`expected known imports, got ${String(base)}`)
    module.removeFunction(name)
    module.addFunction(name, params, results, definition.locals ?? [], definition.body())
  }
}

function embedderImports(module: Module): binaryen.FunctionInfo[] {
  return Array.from({ length: module.getNumFunctions() }, (_, index) =>
    binaryen.getFunctionInfo(module.getFunctionByIndex(index))
  ).filter((info) => info.module === 'env')
}

/** `host_call(name, nameBytes, this, argc, argv)`: calls the system call whose number is the name's first byte. */
function dispatch(module: Module, names: Names): Expression {
  const labels = HOST_CALLS.map((name) => `call-${name}`)
  const call = module.i32.sub(
    module.i32.load8_u(0, 1, module.local.get(0, i32)),
    module.i32.const(HOST_CALL_NAME_START)
  )
  let body: Expression = module.block(labels[0] ?? '', [module.switch(labels, labels[0] ?? '', call)])
  HOST_CALLS.forEach((name, index) => {
    const rest = [body, ...hostCall(module, names, name)]
    const next = labels[index + 1]
    body = next === undefined ? module.block(null, rest) : module.block(next, rest)
  })
  return body
}

function hostCall(module: Module, names: Names, name: HostCall): Expression[] {
  if (name === 'text_encode') return [textEncode(module, names)]
  if (name === 'text_decode') return [textDecode(module, names)]
  return systemCall(module, names, name)
}

/** An argument of a host call: the address of a script's value. */
function argument(module: Module, index: number): Expression {
  return module.i32.load(index * 4, 4, module.local.get(HOST_CALL_ARGUMENTS, i32))
}

/** `text_encode(string)`: an ArrayBuffer of its UTF-8. Locals: where the length is written, the text, the result. */
function textEncode(module: Module, names: Names): Expression {
  const [lengthAt, text, result] = HOST_CALL_LOCALS
  const get = (local: number): Expression => module.local.get(local, i32)
  const call = (name: string, values: Expression[], type: binaryen.Type = i32): Expression =>
    module.call(inside(names, name), values, type)
  return module.block(null, [
    module.local.set(lengthAt, call('wasm_malloc', [module.i32.const(4)])),
    module.local.set(text, call('qjs_get_string_len', [argument(module, 0), get(lengthAt)])),
    module.local.set(result, call('qjs_new_array_buffer', [get(text), module.i32.load(0, 4, get(lengthAt))])),
    call('qjs_free_cstring', [get(text)], none),
    call('wasm_free', [get(lengthAt)], none),
    module.return(get(result))
  ])
}

/** `text_decode(buffer, offset, length)`: a string. */
function textDecode(module: Module, names: Names): Expression {
  const [lengthAt, text] = HOST_CALL_LOCALS
  const get = (local: number): Expression => module.local.get(local, i32)
  const call = (name: string, values: Expression[], type: binaryen.Type = i32): Expression =>
    module.call(inside(names, name), values, type)
  const number = (index: number): Expression =>
    module.i32.trunc_u_sat.f64(call('qjs_get_float64', [argument(module, index)], f64))
  return module.block(null, [
    module.local.set(lengthAt, call('wasm_malloc', [module.i32.const(4)])),
    module.local.set(text, call('qjs_get_array_buffer', [argument(module, 0), get(lengthAt)])),
    call('wasm_free', [get(lengthAt)], none),
    module.return(call('qjs_new_string', [module.i32.add(get(text), number(1)), number(2)]))
  ])
}

/** One system call with its arguments taken from script values; the result is a script's number. */
function systemCall(module: Module, names: Names, name: WasiName): Expression[] {
  const parameters = Array.from(WASI_PARAMETERS[name], (letter, index) => {
    const number = module.call(inside(names, 'qjs_get_float64'), [argument(module, index)], f64)
    return letter === 'I' ? module.i64.trunc_s_sat.f64(number) : module.i32.trunc_u_sat.f64(number)
  })
  if (name === 'proc_exit') return [module.call(name, parameters, none), module.unreachable()]
  const result = module.f64.convert_u.i32(module.call(name, parameters, i32))
  return [module.return(module.call(inside(names, 'qjs_new_number'), [result], i32))]
}

/** `host_promise_rejection(promise, reason, isHandled)`: tells the script's globals. Both values are ours to free. */
function tellRejection(module: Module, names: Names): Expression {
  const [promise, reason, isHandled, list] = [0, 1, 2, 3]
  const get = (local: number): Expression => module.local.get(local, i32)
  const store = (offset: number, value: Expression): Expression =>
    module.i32.store(offset, 4, get(list), value)
  const free = (local: number): Expression => module.call(inside(names, 'qjs_free_value'), [get(local)], none)
  const handled = module.call(
    inside(names, 'qjs_new_number'),
    [module.f64.convert_u.i32(get(isHandled))],
    i32
  )
  return module.block(null, [
    module.local.set(list, module.call(inside(names, 'wasm_malloc'), [module.i32.const(12)], i32)),
    module.if(module.i32.eqz(get(list)), module.return()),
    store(0, get(promise)),
    store(4, get(reason)),
    store(8, handled),
    module.drop(callHook(module, names, { hook: 'rejected', count: 3, list: get(list) })),
    ...[promise, reason].map(free),
    module.call(inside(names, 'qjs_free_value'), [module.i32.load(8, 4, get(list))], none),
    module.call(inside(names, 'wasm_free'), [get(list)], none)
  ])
}

function callHook(
  module: Module,
  names: Names,
  call: { hook: (typeof HOOK_GLOBALS)[number]; count: number; list: Expression }
): Expression {
  const receiver = module.call(inside(names, 'qjs_get_undefined'), [], i32)
  const parameters = [module.global.get(call.hook, i32), receiver, module.i32.const(call.count), call.list]
  return module.call(inside(names, 'qjs_call'), parameters, i32)
}

/**
 * `_start`: runs every job that is due, then lets the script's globals take their turn (they wait for what comes next),
 * until that answers an exit code.
 */
function defineStart(module: Module, names: Names): void {
  const [answer, code] = [0, 1]
  const call = (name: string, values: Expression[], type: binaryen.Type = i32): Expression =>
    module.call(inside(names, name), values, type)
  const get = (local: number): Expression => module.local.get(local, i32)
  // The globals catch what scripts throw; what comes here is that there is no memory left to do so.
  const fail = (): Expression => module.call('proc_exit', [module.i32.const(SCRIPT_ERROR_EXIT_CODE)], none)
  const turn = callHook(module, names, { hook: 'turn', count: 0, list: module.i32.const(0) })
  const hasFailed = module.i32.lt_s(call('qjs_execute_pending_job', []), module.i32.const(0))
  const jobs = module.loop(
    'jobs',
    module.if(
      call('qjs_is_job_pending', []),
      module.block(null, [module.if(hasFailed, fail()), module.br('jobs')])
    )
  )
  const body = module.loop(
    'again',
    module.block(null, [
      jobs,
      module.local.set(answer, turn),
      module.if(call('qjs_is_exception', [get(answer)]), fail()),
      module.local.set(code, module.i32.trunc_s_sat.f64(call('qjs_get_float64', [get(answer)], f64))),
      call('qjs_free_value', [get(answer)], none),
      module.br_if('again', module.i32.lt_s(get(code), module.i32.const(0))),
      module.call('proc_exit', [get(code)], none)
    ])
  )
  module.addFunction('_start', none, none, [i32, i32], body)
  module.addFunctionExport('_start', '_start')
}

function keepExports(module: Module): void {
  const kept = new Set<string>(['memory', '_start', STACK_POINTER_EXPORT, ...SETUP_EXPORTS])
  const all = Array.from(
    { length: module.getNumExports() },
    (_, index) => binaryen.getExportInfo(module.getExportByIndex(index)).name
  )
  for (const name of all) if (!kept.has(name)) module.removeExport(name)
  for (const name of HOOK_GLOBALS) module.addGlobalExport(name, name)
}

function inside(names: Names, exported: string): string {
  const name = names.get(exported)
  if (name === undefined) throw new Error(`expected QuickJS to export ${exported}`)
  return name
}
