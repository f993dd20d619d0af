import { CapsuleError } from '#capsule-host'
import type { CapsuleStatus, TerminalSize } from '#contracts'
import { NodeError } from '../errors.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import type { Attachment, RunTerminal, TerminalViewer } from '../run-terminal.ts'
import type { HandlersOf } from './handlers.ts'
import { createWatcher, type QuestionParts } from './question-handlers.ts'
import { writeOutput } from './run-output.ts'
import type { CallContext } from './server.ts'

/** A run that somebody can come to. */
export interface TerminalRun {
  readonly id: number
  readonly lineage: string
  readonly capsule: CapsuleStatus
  readonly terminal: RunTerminal
  /** Settles at the end of the run. */
  readonly ended: Promise<number>
}

/** The runs of a node that have a terminal, and who is there. */
export interface RunTerminals {
  /** Lets others come to a run until it ended. */
  add(run: TerminalRun): void
  find(id: number): TerminalRun | undefined
  /**
   * Shows a run to the caller and takes what it types, until the run ends, the caller leaves it or goes away.
   *
   * @throws NodeError `ERR_CONTROL_BUSY` when too many are there, or somebody else types and the caller is a pipe, which sees no notice;
   * CapsuleError `ERR_CAPSULE_NO_TERMINAL` when a pipe types into a run whose input has ended
   */
  visit(id: number, context: CallContext, visit: VisitInit): Promise<void>
  /** Tells the size of the terminal of one who is there. */
  resize(visitor: VisitorId, size: TerminalSize): void
  /** Has one who is there leave. */
  leave(visitor: VisitorId): void
}

/** Somebody at the terminal of a run. */
export interface VisitorId {
  readonly run: number
  readonly viewer: number
}

/** How somebody comes to a run. */
export interface VisitInit {
  readonly size: TerminalSize | undefined
  readonly isWatching: boolean
  /** Whether the end of what it types is that of the capsule's input; else it leaves, and the capsule waits for the next one. */
  readonly endsInput: boolean
}

/** Terminals of no run yet. */
export function createRunTerminals(): RunTerminals {
  const runs = new Map<number, TerminalRun>()
  const visitors = new Map<string, Attachment>()
  let lastViewer = 0
  const keyOf = ({ run, viewer }: VisitorId): string => `${run} ${viewer}`
  return {
    add: (run) => {
      runs.set(run.id, run)
      const end = (): void => {
        runs.delete(run.id)
        run.terminal.end()
      }
      run.ended.then(end, end)
    },
    find: (id) => runs.get(id),
    visit: async (id, context, visit) => {
      const run = runs.get(id)
      if (run === undefined) return
      const viewer = ++lastViewer
      const key = keyOf({ run: id, viewer })
      await context.emit({ kind: 'run', run: id, viewer })
      using place = run.terminal.attach(viewerOf(context, visit))
      visitors.set(key, place)
      try {
        const refused = typeAt(place, context, visit)
        await Promise.race([refused, aborted(AbortSignal.any([place.over, context.signal]))])
      } finally {
        visitors.delete(key)
      }
    },
    resize: (visitor, size) => visitors.get(keyOf(visitor))?.resize(size),
    leave: (visitor) => visitors.get(keyOf(visitor))?.[Symbol.dispose]()
  }
}

/** What the handlers act on. */
export interface TerminalHandlerParts {
  readonly terminals: RunTerminals
  readonly installed: Pick<InstalledCapsules, 'lifecycle' | 'running'>
  readonly questions: QuestionParts
  /** A lineage for `PETNAME/NAME`; other text as it is. */
  readonly toLineage: (target: string) => string
}

/** Terminals of runs, for commands. */
export function createTerminalHandlers(
  parts: TerminalHandlerParts
): HandlersOf<'capsule.attach' | 'capsule.detach' | 'capsule.resize'> {
  const { terminals, questions } = parts
  return {
    'capsule.attach': async ({ target, watch = false, terminal, canAsk = false }, context) => {
      const run = findRun(parts, target)
      const watcher = createWatcher(questions, { emit: context.emit, canAsk })
      // Who only watches decides nothing.
      using _watching = watch ? undefined : questions.desk.watch(run.lineage, watcher)
      await terminals.visit(run.id, context, { size: terminal, isWatching: watch, endsInput: false })
      const isOver = run.terminal.hasEnded
      return { run: run.id, capsule: run.capsule, ...(isOver ? { exitCode: await run.ended } : {}) }
    },
    'capsule.detach': async (visitor) => {
      terminals.leave(visitor)
      return await Promise.resolve({})
    },
    'capsule.resize': async ({ run, viewer, ...size }) => {
      // One who has left meanwhile needs no size.
      terminals.resize({ run, viewer }, size)
      return await Promise.resolve({})
    }
  }
}

/** The run of a number, or the last one of a name. */
function findRun({ terminals, installed, toLineage }: TerminalHandlerParts, target: string): TerminalRun {
  const id = Number(/^#?(\d{1,9})$/.exec(target)?.[1] ?? NaN)
  const lineage = installed.lifecycle.lookup(toLineage(target))?.lineage ?? toLineage(target)
  const running = installed.running
    .list()
    .filter((run) => run.id === id || run.lineage === lineage || run.name === target)
  const found = running.map((run) => terminals.find(run.id)).findLast((run) => run !== undefined)
  if (found !== undefined) return found
  const named = target.slice(0, 160)
  if (running.length === 0) {
    throw new CapsuleError(
      'ERR_CAPSULE_NOT_RUNNING',
      `no capsule called ${named} runs: 'elastos capsule top' shows what does`
    )
  }
  throw new CapsuleError(
    'ERR_CAPSULE_NO_TERMINAL',
    `expected a run with a terminal, ${named} has none: 'elastos capsule run --detach --raw' keeps one`
  )
}

function viewerOf(
  { emit }: Pick<CallContext, 'emit'>,
  { size, isWatching }: Pick<VisitInit, 'size' | 'isWatching'>
): TerminalViewer {
  const tell = (event: Parameters<CallContext['emit']>[0]): void => void emit(event).catch(() => undefined)
  return {
    ...{ size, isWatching },
    show: async (stream, bytes) => await writeOutput({ emit }, stream, bytes),
    setRaw: (isRaw) => tell({ kind: 'terminal', isRaw }),
    setTyping: (isTyping) => tell({ kind: 'typing', isTyping })
  }
}

/** Takes keys for as long as the caller is there; only ever ends with an error. */
async function typeAt(
  place: Attachment,
  { nextInput }: Pick<CallContext, 'nextInput'>,
  { endsInput, size, isWatching }: VisitInit
): Promise<never> {
  for (let input = await nextInput(); input !== undefined; input = await nextInput()) {
    if (input.kind === 'stdin') {
      const typed = await place.type(Buffer.from(input.base64, 'base64'))
      // A person was told that somebody else types now.
      if (typed !== 'taken' && size === undefined && !isWatching && !place.over.aborted)
        throw refusalOf(typed)
    }
    if (input.kind !== 'stdin-end') continue
    if (endsInput) place.endInput()
    else place[Symbol.dispose]()
  }
  return await new Promise<never>(() => undefined)
}

function refusalOf(typed: 'watching' | 'ended'): Error {
  if (typed === 'ended') {
    return new CapsuleError(
      'ERR_CAPSULE_NO_TERMINAL',
      'expected a run that takes input: that of this one has ended'
    )
  }
  return new NodeError(
    'ERR_CONTROL_BUSY',
    'somebody else came to this run and types now: the rest of the input was not taken'
  )
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
