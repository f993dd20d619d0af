import { CapsuleError } from '../errors.ts'
import { BUILD_LINES_MAX } from '../constants.ts'
import { WASI_MODULE } from '../guest/wasi/signatures.ts'
import { printableLines } from '../text.ts'
import {
  HOOK_GLOBALS,
  HOST_CALL_NAME_START,
  HOST_CALLS,
  STACK_POINTER_EXPORT,
  type SETUP_EXPORTS
} from './runtime-module.ts'

/** A module's state at one moment: its memory, and the globals that point into it. */
export interface ModuleState {
  readonly memory: Uint8Array
  /** Values of the exported globals, by the name of their export. */
  readonly globals: Readonly<Record<string, number>>
}

/** Bytes of the buffer that scripts' globals share with the module: `RAW_BUFFER_BYTES` of `sdk/globals/system.ts`. */
const SHARED_BUFFER_BYTES = 8192 + 65_536
/** Bytes of the stack below which a script is told that it recurses too deep; half of what the module has. */
const SCRIPT_STACK_BYTES = 256 * 1024
/** Bytes of new values after which the engine collects what is unreachable. */
const COLLECT_BYTES = 1024 * 1024
/** `JS_WRITE_OBJ_STRIP_SOURCE` of QuickJS: positions are kept for stack traces, the text of functions is not. */
const STRIP_SOURCE = 1 << 4

type SetupExports = Record<(typeof SETUP_EXPORTS)[number], (...values: number[]) => number> & {
  readonly memory: WebAssembly.Memory
} & Record<(typeof HOOK_GLOBALS)[number] | typeof STACK_POINTER_EXPORT, WebAssembly.Global>

/** A runtime that was started and can be given a script. Nothing of it reaches this machine: its imports do nothing. */
export interface RuntimeInstance {
  /**
   * Compiles `script`, the text of a function that takes nothing, and makes it what the capsule runs.
   *
   * @throws CapsuleError `ERR_CAPSULE_BUILD` when it does not compile
   */
  load(script: { text: string; name: string }): void
  /** The state to freeze into a capsule. */
  state(): ModuleState
}

/** Starts the runtime module and evaluates the globals of scripts in it. The same bytes give the same state. */
export function startRuntime(runtime: WebAssembly.Module, globalsScript: string): RuntimeInstance {
  const engine = new Engine(runtime)
  // What compiling leaves behind in memory would be frozen into every capsule: it is done in an engine of its own.
  const compile = (text: string, name: string): Uint8Array => new Engine(runtime).compile(text, name)
  const turns = engine.evaluateGlobals(compile(globalsScript, 'globals.js'))
  return {
    load: ({ text, name }) => {
      const main = engine.evaluate(compile(text, name))
      engine.call(engine.property(turns, 'begin'), turns, [main])
    },
    state: () => engine.state()
  }
}

class Engine {
  readonly #exports: SetupExports

  constructor(runtime: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(
      runtime,
      inertImports(runtime, () => this.#exports.memory)
    )
    this.#exports = instance.exports as unknown as SetupExports
    this.#exports._initialize()
    if (this.#exports.qjs_init() !== 0) throw new Error('expected QuickJS to start')
    this.#exports.qjs_set_max_stack_size(SCRIPT_STACK_BYTES)
    this.#exports.qjs_set_gc_threshold(COLLECT_BYTES)
    this.#exports.qjs_set_promise_rejection_handler(1)
  }

  /** Makes the raw system, evaluates the globals over it, and hooks their turns up. @returns the turns' value */
  evaluateGlobals(bytecode: Uint8Array): number {
    const exports = this.#exports
    const raw = exports.qjs_new_object()
    HOST_CALLS.forEach((name, index) => {
      const called = Uint8Array.of(HOST_CALL_NAME_START + index)
      this.#set(
        raw,
        name,
        this.#lend(called, (at) => exports.qjs_new_host_function(at, 1, 0))
      )
    })
    const buffer = this.#lend(new Uint8Array(SHARED_BUFFER_BYTES), (at) =>
      exports.qjs_new_array_buffer(at, SHARED_BUFFER_BYTES)
    )
    const address = this.#lend(new Uint8Array(4), (at) => exports.qjs_get_array_buffer(buffer, at))
    this.#set(raw, 'buffer', buffer)
    this.#set(raw, 'address', exports.qjs_new_number(address))
    const turns = this.call(this.evaluate(bytecode), exports.qjs_get_undefined(), [raw])
    for (const name of HOOK_GLOBALS) exports[name].value = this.property(turns, `${name}Hook`)
    return turns
  }

  /** The engine's own code of a script, without the text it was made of, which nobody needs when it runs. */
  compile(text: string, name: string): Uint8Array {
    const { qjs_compile, memory } = this.#exports
    const source = new TextEncoder().encode(`${text}\0`)
    return this.#lend(source, (sourceAt) =>
      this.#lend(nameBytes(name), (nameAt) =>
        this.#lend(new Uint8Array(4), (lengthAt) => {
          const at = qjs_compile(sourceAt, source.byteLength - 1, nameAt, 0, STRIP_SOURCE, lengthAt)
          if (at === 0) throw this.#failure()
          const length = new DataView(memory.buffer).getUint32(lengthAt, true)
          return new Uint8Array(memory.buffer, at, length).slice()
        })
      )
    )
  }

  /** Runs what {@link Engine.compile} made and returns its value. */
  evaluate(bytecode: Uint8Array): number {
    return this.#checked(
      this.#lend(bytecode, (at) => this.#exports.qjs_eval_bytecode(at, bytecode.byteLength))
    )
  }

  call(callee: number, receiver: number, values: readonly number[]): number {
    const list = new Uint8Array(Uint32Array.from(values).buffer)
    return this.#checked(
      this.#lend(list, (at) => this.#exports.qjs_call(callee, receiver, values.length, at))
    )
  }

  property(value: number, name: string): number {
    return this.#checked(this.#lend(nameBytes(name), (at) => this.#exports.qjs_get_prop_string(value, at)))
  }

  state(): ModuleState {
    this.#exports.qjs_run_gc()
    const names = [...HOOK_GLOBALS, STACK_POINTER_EXPORT] as const
    return {
      memory: new Uint8Array(this.#exports.memory.buffer).slice(),
      globals: Object.fromEntries(names.map((name) => [name, Number(this.#exports[name].value)]))
    }
  }

  #set(object: number, name: string, value: number): void {
    this.#lend(nameBytes(name), (at) => this.#exports.qjs_set_prop_string(object, at, value))
  }

  /** Puts bytes into the module's memory for one call. What is left there afterwards is zeros: they freeze to nothing. */
  #lend<T>(bytes: Uint8Array, use: (address: number) => T): T {
    const { wasm_malloc, wasm_free, memory } = this.#exports
    const address = wasm_malloc(bytes.byteLength)
    if (address === 0) throw new Error('expected memory for a script, got none')
    new Uint8Array(memory.buffer).set(bytes, address)
    try {
      return use(address)
    } finally {
      new Uint8Array(memory.buffer).fill(0, address, address + bytes.byteLength)
      wasm_free(address)
    }
  }

  #checked(value: number): number {
    if (this.#exports.qjs_is_exception(value) === 0) return value
    throw this.#failure()
  }

  /** What the engine says went wrong. */
  #failure(): CapsuleError {
    const { qjs_get_exception, qjs_get_string_len, memory } = this.#exports
    const text = this.#lend(new Uint8Array(4), (lengthAt) => {
      const at = qjs_get_string_len(qjs_get_exception(), lengthAt)
      const length = new DataView(memory.buffer).getUint32(lengthAt, true)
      return new TextDecoder().decode(new Uint8Array(memory.buffer, at, length))
    })
    return new CapsuleError('ERR_CAPSULE_BUILD', 'expected the script to compile, it did not', {
      detail: printableLines(text, BUILD_LINES_MAX)
    })
  }
}

function nameBytes(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`)
}

/** WASI that does nothing: no time passes and nothing is random while a capsule is made, or no two would be alike. */
function inertImports(runtime: WebAssembly.Module, memory: () => WebAssembly.Memory): WebAssembly.Imports {
  const answers: Readonly<Record<string, (...values: never[]) => number>> = {
    clock_time_get: (_clock: number, _precision: bigint, result: number) => {
      new DataView(memory().buffer).setBigUint64(result, 0n, true)
      return 0
    },
    random_get: (address: number, length: number) => {
      new Uint8Array(memory().buffer).fill(0, address, address + length)
      return 0
    }
  }
  const functions = WebAssembly.Module.imports(runtime).map(({ name }) => [
    name,
    answers[name] ??
      (() => {
        throw new Error(`expected no ${name} while a capsule is made`)
      })
  ])
  return { [WASI_MODULE]: Object.fromEntries(functions) as WebAssembly.ModuleImports }
}
