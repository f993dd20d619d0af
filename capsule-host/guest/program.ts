import { TraceFormatError } from './trace/entries.ts'
import { FileAnswers } from './trace/file-answers.ts'
import { recordCalls, type RecorderInit } from './trace/recorder.ts'
import { replayCalls, ReplayError, TraceEndError } from './trace/replayer.ts'
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
      readonly kind: 'module' | 'trap' | 'replay' | 'traceEnd'
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
    calls.checkEnd?.()
    return { kind: 'exit', exitCode: 0 }
  } catch (thrown) {
    if (thrown instanceof ProcessExit) return { kind: 'exit', exitCode: thrown.exitCode }
    const reason = reasonOf(thrown, calls)
    const message = reason instanceof Error ? reason.message : String(reason)
    return { kind: kindOf(reason), message, memoryBytesAtStart }
  } finally {
    calls.finish()
  }
}

/** Why a program ended, which may have caught what ended its replay and gone on. */
function reasonOf(thrown: unknown, calls: WasiCalls): unknown {
  try {
    if (kindOf(thrown) === 'trap') calls.checkEnd?.()
    return thrown
  } catch (earlier) {
    return earlier
  }
}

function kindOf(reason: unknown): Exclude<ProgramEnd['kind'], 'exit'> {
  if (reason instanceof TraceEndError) return 'traceEnd'
  if (reason instanceof ReplayError || reason instanceof TraceFormatError) return 'replay'
  const isModule = reason instanceof WebAssembly.CompileError || reason instanceof WebAssembly.LinkError
  return isModule ? 'module' : 'trap'
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
    fileReads: answers
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
