import { TraceFormatError } from './trace/entries.ts'
import { FileAnswers } from './trace/file-answers.ts'
import { recordCalls, type RecorderInit } from './trace/recorder.ts'
import { replayCalls, ReplayError } from './trace/replayer.ts'
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
  | {
      readonly kind: 'module' | 'trap' | 'replay'
      readonly message: string
      readonly memoryBytesAtStart: number
    }

/** Whether a run is recorded, and where to, or what it is replayed from. */
export type ProgramTrace =
  | { readonly kind: 'record'; readonly init: RecorderInit }
  | { readonly kind: 'replay'; readonly entries: Uint8Array }

/**
 * Compiles, links and runs a module until its `_start` returns, exits or traps. `bytes` are of no use to anybody afterwards.
 * Never rejects.
 */
export async function runProgram(
  bytes: Uint8Array<ArrayBuffer>,
  host: WasiHost,
  trace?: ProgramTrace
): Promise<ProgramEnd> {
  let memoryBytesAtStart = 0
  const calls = programCalls(host, trace)
  try {
    const module = new WebAssembly.Module(bytes)
    // The engine has its own copy; this one is not kept for as long as the program runs.
    bytes.buffer.transfer(0)
    const instance = new WebAssembly.Instance(module, programImports(calls))
    host.memory.attach(instance.exports['memory'] as WebAssembly.Memory)
    memoryBytesAtStart = host.memory.byteLength
    await promising(instance.exports['_start'])()
    return { kind: 'exit', exitCode: 0 }
  } catch (thrown) {
    if (thrown instanceof ProcessExit) return { kind: 'exit', exitCode: thrown.exitCode }
    const isModule = thrown instanceof WebAssembly.CompileError || thrown instanceof WebAssembly.LinkError
    const isReplay = thrown instanceof ReplayError || thrown instanceof TraceFormatError
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return { kind: isReplay ? 'replay' : isModule ? 'module' : 'trap', message, memoryBytesAtStart }
  } finally {
    calls.finish()
  }
}

function programCalls(host: WasiHost, trace: ProgramTrace | undefined): WasiCalls {
  if (trace?.kind === 'replay') return replayCalls(host, trace.entries)
  if (trace === undefined) return createWasiCalls(host)
  let finish = (): void => undefined
  const exit = (exitCode: number): void => {
    finish()
    host.exit(exitCode)
  }
  const answers = new FileAnswers()
  const recorded: WasiHost = {
    ...{ ...host, exit },
    askFiles: host.askFiles === undefined ? undefined : answers.counting(host.askFiles),
    onFileRead: (parts) => answers.noteRead(parts)
  }
  const calls = recordCalls(createWasiCalls(recorded), recorded, { ...trace.init, answers })
  finish = () => calls.finish()
  return calls
}

function programImports(calls: WasiCalls): WebAssembly.Imports {
  const functions: WebAssembly.ModuleImports = {}
  const { areAnswered = false } = calls
  for (const [name, call] of Object.entries(calls.immediate))
    functions[name] = areAnswered ? call : answer(call)
  for (const [name, call] of Object.entries(calls.suspending))
    functions[name] = new Suspending(areAnswered ? call : answerLater(call))
  return { [WASI_MODULE]: functions }
}
