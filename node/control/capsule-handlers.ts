import { decodeTrace, readTraceFile, type RunTrace, type TerminalPower } from '#capsule-host'
import { CONTROL_LIMITS, type Clock, type TerminalSize } from '#contracts'
import { createDeadline } from '../deadline.ts'
import { runAttached, runDetached } from '../capsule-run.ts'
import type { CapsuleRuntime } from '../capsule-runtime.ts'
import { recordRun } from '../capsule-trace.ts'
import type { Capsules, CapsuleStreams } from '../capsules.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import { installedTarget } from '../release-capsules.ts'
import { SHIPPED_PREFIX } from '../shipped-capsules.ts'
import { createReporter } from './content-handlers.ts'
import type { HandlersOf } from './handlers.ts'
import { createWatcher, type QuestionParts } from './question-handlers.ts'
import type { CallContext } from './server.ts'

/** How long finding and fetching a capsule may take. */
const CAPSULE_DEADLINE_MS = 60_000

/** What the handlers act on. */
export interface CapsuleHandlerParts {
  readonly capsules: Capsules
  readonly installed: InstalledCapsules
  readonly questions: QuestionParts
  readonly runtime: Pick<CapsuleRuntime, 'replay'>
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
): HandlersOf<'capsule.publish' | 'capsule.verify' | 'capsule.run' | 'capsule.replay' | 'capsule.resize'> {
  const { capsules, installed, questions } = parts
  const verify = createCapsuleVerifier(parts)
  /** What tells a run its terminal's size. */
  const terminals = new Map<number, Resize>()
  return {
    'capsule.publish': async ({ folder, first = false }, { signal }) => {
      const published = await capsules.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos capsule run ${published.publisher}/${published.name}` }
    },
    'capsule.verify': async ({ target }, context) => (await verify(target, context)).status,
    'capsule.resize': async ({ run, ...size }) => {
      // A run that has ended meanwhile needs no size.
      terminals.get(run)?.(size)
      return await Promise.resolve({})
    },
    'capsule.run': async (params, context) => {
      const { target, args, dev = false, detach = false, canAsk = false, deadlineMs } = params
      const where = {
        allowsEmulated: params.allowEmulated === true,
        ...(params.substrate === undefined ? {} : { substrate: params.substrate })
      }
      const { signal } = context
      const capsule = await verify(target, context, { deadlineMs, isDevelopment: dev })
      if (detach) {
        const init = { args, ...where, signal: new AbortController().signal }
        const run = await runDetached({ capsules, installed }, capsule, init)
        return { exitCode: 0, capsule: capsule.status, run }
      }
      const watcher = createWatcher(questions, { emit: context.emit, canAsk })
      using _watching = questions.desk.watch(capsule.lineage, watcher)
      using terminal = createRunTerminal(context, terminals, params.terminal)
      const run = async (trace?: RunTrace): Promise<number> =>
        await runAttached({ capsules, installed }, capsule, {
          ...{ args, signal, ...where, ...terminal.streams, ...standardStreams(context) },
          onNotice: (text) => void context.emit({ kind: 'notice', text }).catch(() => undefined),
          ...(trace === undefined ? {} : { trace })
        })
      if (params.record === undefined) return { exitCode: await run(), capsule: capsule.status }
      return { ...(await recordRun(params.record, { capsule, args }, run)), capsule: capsule.status }
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

type Resize = (size: TerminalSize) => void

/** The terminal of one run, as the command that called for it says it is; none when that says nothing. */
function createRunTerminal(
  { emit }: Pick<CallContext, 'emit'>,
  terminals: Map<number, Resize>,
  first: TerminalSize | undefined
): {
  readonly streams: Pick<CapsuleStreams, 'terminal' | 'onSession'> & { onRun: (run: number) => void }
} & Disposable {
  let size = first
  let isRaw = false
  let id: number | undefined
  let session: Parameters<NonNullable<CapsuleStreams['onSession']>>[0] | undefined
  const tell = (event: Parameters<CallContext['emit']>[0]): void => void emit(event).catch(() => undefined)
  const power: TerminalPower = {
    status: () => ({ columns: 80, rows: 24, ...size, isRaw }),
    setRaw: (wanted) => {
      isRaw = wanted
      tell({ kind: 'terminal', isRaw })
    }
  }
  const onRun = (run: number): void => {
    id = run
    tell({ kind: 'run', run })
    terminals.set(run, (next) => {
      size = next
      session?.resize(next)
    })
  }
  return {
    streams: {
      onRun,
      onSession: (opened) => (session = opened),
      ...(first === undefined ? {} : { terminal: power })
    },
    [Symbol.dispose]: () => {
      if (id !== undefined) terminals.delete(id)
    }
  }
}

async function* readStdin({ nextInput }: CallContext): AsyncIterable<Uint8Array> {
  for (let input = await nextInput(); input !== undefined; input = await nextInput()) {
    if (input.kind === 'stdin-end') return
    if (input.kind === 'stdin') yield Buffer.from(input.base64, 'base64')
  }
}

/** Sends bytes of a capsule to the command, in pieces that fit a message. */
export async function writeOutput(
  { emit }: CallContext,
  stream: 'stdout' | 'stderr',
  bytes: Uint8Array
): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
    const part = bytes.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
    await emit({ kind: 'output', stream, base64: Buffer.from(part).toString('base64') })
  }
}
