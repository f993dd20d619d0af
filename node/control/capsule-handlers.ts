import { decodeTrace, readTraceFile, type Run, type RunTrace } from '#capsule-host'
import type { Clock, ControlParams, ControlResult, TerminalSize } from '#contracts'
import { createDeadline } from '../deadline.ts'
import { runAttached, runDetached, terminalStreams } from '../capsule-run.ts'
import type { CapsuleRuntime } from '../capsule-runtime.ts'
import { recordRun } from '../capsule-trace.ts'
import type { Capsules, CapsuleStreams, VerifiedPackage } from '../capsules.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import { installedTarget } from '../release-capsules.ts'
import { createRunTerminal } from '../run-terminal.ts'
import { SHIPPED_PREFIX } from '../shipped-capsules.ts'
import { createReporter } from './content-handlers.ts'
import type { HandlersOf } from './handlers.ts'
import { createWatcher, type QuestionParts } from './question-handlers.ts'
import { writeOutput } from './run-output.ts'
import type { CallContext } from './server.ts'
import type { RunTerminals } from './terminal-handlers.ts'

/** How long finding and fetching a capsule may take. */
const CAPSULE_DEADLINE_MS = 60_000

/** What the handlers act on. */
export interface CapsuleHandlerParts {
  readonly capsules: Capsules
  readonly installed: InstalledCapsules
  readonly questions: QuestionParts
  readonly runtime: Pick<CapsuleRuntime, 'replay'>
  /** Where others come to the terminals of runs. */
  readonly terminals: RunTerminals
  /** A lineage for `PETNAME/NAME`; other text as it is. */
  readonly toLineage: (target: string) => string
  readonly clock: Clock
}

/** Finds a capsule and reads all of it, for a command that waits. */
export type CapsuleVerifier = (
  target: string,
  context: Pick<CallContext, 'signal' | 'emit'>,
  options?: { deadlineMs?: number | undefined; isDevelopment?: boolean }
) => ReturnType<Capsules['verify']>

/** Verifies what is named as it is installed, else as it is published now, and tells how far it is. */
export function createCapsuleVerifier({
  capsules,
  installed,
  toLineage,
  clock
}: Pick<CapsuleHandlerParts, 'capsules' | 'installed' | 'toLineage' | 'clock'>): CapsuleVerifier {
  return async (target, { signal, emit }, options = {}) => {
    const { deadlineMs: idleMs = CAPSULE_DEADLINE_MS, isDevelopment = false } = options
    const report = createReporter(emit)
    // What is installed runs as it is installed, without anybody being asked for something newer.
    const isShipped = target.startsWith(SHIPPED_PREFIX)
    const known = isShipped ? undefined : installed.lifecycle.lookup(toLineage(target))
    const wanted =
      known === undefined ? target : installedTarget(await installed.lifecycle.settle(known.lineage))
    using deadline = createDeadline({ clock, signal, idleMs, what: 'the capsule was not found' })
    return await capsules.verify(wanted, {
      ...{ signal: deadline.signal, isDevelopment },
      onProgress: (bytes) => {
        // It was found: from here on content itself gives up when nothing more arrives.
        deadline[Symbol.dispose]()
        report({ phase: 'fetching', bytes })
      }
    })
  }
}

/** Capsules for commands. */
export function createCapsuleHandlers(
  parts: CapsuleHandlerParts
): HandlersOf<'capsule.publish' | 'capsule.verify' | 'capsule.run' | 'capsule.replay'> {
  const { capsules, questions } = parts
  const verify = createCapsuleVerifier(parts)
  return {
    'capsule.publish': async ({ folder, first = false }, { signal }) => {
      const published = await capsules.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos capsule run ${published.publisher}/${published.name}` }
    },
    'capsule.verify': async ({ target }, context) => (await verify(target, context)).status,
    'capsule.run': async (params, context) => {
      const { target, dev = false, detach = false, canAsk = false, deadlineMs } = params
      const capsule = await verify(target, context, { deadlineMs, isDevelopment: dev })
      const order = { capsule, params, context }
      if (detach) return await leaveRunning(parts, order)
      const watcher = createWatcher(questions, { emit: context.emit, canAsk })
      using _watching = questions.desk.watch(capsule.lineage, watcher)
      const result =
        params.terminal === undefined
          ? await runOverPipes(parts, order)
          : await runAtTerminal(parts, order, params.terminal)
      return { ...result, capsule: capsule.status }
    },
    'capsule.replay': async ({ path }, context) => {
      const trace = decodeTrace(await readTraceFile(path))
      const streams = { ...standardStreams(context), signal: context.signal }
      const { outcome, recorded } = await parts.runtime.replay(trace, streams)
      const { name, version } = trace.head
      const end =
        outcome.kind === 'exit' ? { exitCode: outcome.exitCode } : { exitCode: 1, code: outcome.error.code }
      return { name, version, ...end, isWhole: recorded !== undefined }
    }
  }
}

/** The standard streams of a run, as the command that called for it has them. */
function standardStreams(context: CallContext): Pick<CapsuleStreams, 'stdin' | 'stdout' | 'stderr'> {
  return {
    stdin: readStdin(context),
    stdout: { write: async (bytes) => await writeOutput(context, 'stdout', bytes) },
    stderr: { write: async (bytes) => await writeOutput(context, 'stderr', bytes) }
  }
}

/** A capsule that a command wants run. */
interface RunOrder {
  readonly capsule: VerifiedPackage
  readonly params: ControlParams<'capsule.run'>
  readonly context: CallContext
}

type RunResult = Omit<ControlResult<'capsule.run'>, 'capsule'>

/** Where a capsule runs, and what it is told. */
function termsOf({
  args,
  substrate,
  allowEmulated
}: RunOrder['params']): Pick<CapsuleStreams, 'args' | 'substrate' | 'allowsEmulated'> {
  const allowsEmulated = allowEmulated === true
  return { args, allowsEmulated, ...(substrate === undefined ? {} : { substrate }) }
}

/** Starts a capsule and returns; with a terminal it keeps one for whoever comes to it. */
async function leaveRunning(
  { capsules, installed, terminals }: CapsuleHandlerParts,
  { capsule, params }: RunOrder
): Promise<ControlResult<'capsule.run'>> {
  const terminal = params.terminal === undefined ? undefined : createRunTerminal(params.terminal)
  const { run, ended } = await runDetached({ capsules, installed }, capsule, {
    ...termsOf(params),
    ...(terminal === undefined ? {} : { terminal }),
    signal: new AbortController().signal
  })
  const { lineage, status } = capsule
  if (terminal !== undefined) terminals.add({ id: run.id, lineage, capsule: status, terminal, ended })
  return { exitCode: 0, capsule: status, run: run.id }
}

async function runOverPipes(parts: CapsuleHandlerParts, order: RunOrder): Promise<RunResult> {
  const { context } = order
  return await record(order, async (trace) => {
    return await runAttached(parts, order.capsule, {
      ...{ ...termsOf(order.params), ...standardStreams(context), ...trace, signal: context.signal },
      onRun: ({ id }) => void context.emit({ kind: 'run', run: id }).catch(() => undefined),
      onNotice: noticeTo(context)
    })
  })
}

/** Runs a capsule on the terminal of the command, whose user may leave it running. */
async function runAtTerminal(
  parts: CapsuleHandlerParts,
  order: RunOrder,
  size: TerminalSize
): Promise<RunResult> {
  const { capsule, context, params } = order
  const terminal = createRunTerminal(size)
  const stop = new AbortController()
  const abort = (): void => stop.abort(context.signal.reason)
  context.signal.addEventListener('abort', abort, { once: true })
  // One that left while the capsule was verified.
  if (context.signal.aborted) abort()
  const entered = Promise.withResolvers<Run>()
  const result = record(order, async (trace) => {
    return await runAttached(parts, capsule, {
      ...{ ...termsOf(params), ...terminalStreams(terminal), ...trace, signal: stop.signal },
      onRun: entered.resolve,
      onNotice: noticeTo(context)
    })
  })
  result.catch(entered.reject)
  const run = await entered.promise
  const ended = result.then(({ exitCode }) => exitCode)
  parts.terminals.add({ id: run.id, lineage: capsule.lineage, capsule: capsule.status, terminal, ended })
  await parts.terminals.visit(run.id, context, { size, isWatching: false, endsInput: true })
  if (terminal.hasEnded || context.signal.aborted) return await result
  context.signal.removeEventListener('abort', abort)
  run.setDetached()
  return { exitCode: 0, run: run.id }
}

/** Runs a capsule, and records that where it is wanted. */
async function record(
  { capsule, params }: RunOrder,
  run: (trace: { readonly trace?: RunTrace }) => Promise<number>
): Promise<RunResult> {
  if (params.record === undefined) return { exitCode: await run({}) }
  const recorded = { capsule, args: params.args }
  return await recordRun(params.record, recorded, async (trace) => await run({ trace }))
}

function noticeTo({ emit }: Pick<CallContext, 'emit'>): (text: string) => void {
  return (text) => void emit({ kind: 'notice', text }).catch(() => undefined)
}

async function* readStdin({ nextInput }: CallContext): AsyncIterable<Uint8Array> {
  for (let input = await nextInput(); input !== undefined; input = await nextInput()) {
    if (input.kind === 'stdin-end') return
    if (input.kind === 'stdin') yield Buffer.from(input.base64, 'base64')
  }
}
