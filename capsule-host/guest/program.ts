import { ProcessExit } from './wasi/errno.ts'
import type { WasiHost } from './wasi/host.ts'
import { answer, answerLater, createWasiCalls, type WasiCalls } from './wasi/imports.ts'
import { WASI_MODULE } from './wasi/signatures.ts'

/**
 * JavaScript Promise Integration, which the type library does not know yet.
 *
 * @see https://github.com/WebAssembly/js-promise-integration
 */
interface PromiseIntegration {
  Suspending: new (call: (...values: never[]) => Promise<number>) => WebAssembly.ImportValue
  promising(call: unknown): () => Promise<unknown>
}

const { Suspending, promising } = WebAssembly as unknown as PromiseIntegration

/** How a program ended. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly exitCode: number }
  | { readonly kind: 'module' | 'trap'; readonly message: string; readonly memoryBytesAtStart: number }

/** Compiles, links and runs a module until its `_start` returns, exits or traps. Never rejects. */
export async function runProgram(bytes: Uint8Array<ArrayBuffer>, host: WasiHost): Promise<ProgramEnd> {
  let memoryBytesAtStart = 0
  const calls = createWasiCalls(host)
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), programImports(calls))
    host.memory.attach(instance.exports['memory'] as WebAssembly.Memory)
    memoryBytesAtStart = host.memory.byteLength
    await promising(instance.exports['_start'])()
    return { kind: 'exit', exitCode: 0 }
  } catch (thrown) {
    if (thrown instanceof ProcessExit) return { kind: 'exit', exitCode: thrown.exitCode }
    const isModule = thrown instanceof WebAssembly.CompileError || thrown instanceof WebAssembly.LinkError
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return { kind: isModule ? 'module' : 'trap', message, memoryBytesAtStart }
  } finally {
    calls.finish()
  }
}

function programImports(calls: WasiCalls): WebAssembly.Imports {
  const functions: WebAssembly.ModuleImports = {}
  for (const [name, call] of Object.entries(calls.immediate)) functions[name] = answer(call)
  for (const [name, call] of Object.entries(calls.suspending))
    functions[name] = new Suspending(answerLater(call))
  return { [WASI_MODULE]: functions }
}
