import { CONTROL_LIMITS, type Clock } from '#contracts'
import { createDeadline } from '../deadline.ts'
import { runAttached, runDetached } from '../capsule-run.ts'
import type { Capsules } from '../capsules.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
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
    const known = installed.lifecycle.lookup(toLineage(target))
    const wanted = known === undefined ? target : (await installed.lifecycle.settle(known.lineage)).current
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
): HandlersOf<'capsule.publish' | 'capsule.verify' | 'capsule.run'> {
  const { capsules, installed, questions } = parts
  const verify = createCapsuleVerifier(parts)
  return {
    'capsule.publish': async ({ folder, first = false }, { signal }) => {
      const published = await capsules.publish(folder, { signal, isFirst: first })
      return { ...published, line: `elastos capsule run ${published.publisher}/${published.name}` }
    },
    'capsule.verify': async ({ target }, context) => (await verify(target, context)).status,
    'capsule.run': async (
      { target, args, dev = false, detach = false, canAsk = false, deadlineMs },
      context
    ) => {
      const { signal } = context
      const capsule = await verify(target, context, { deadlineMs, isDevelopment: dev })
      if (detach) {
        const run = runDetached({ capsules, installed }, capsule, {
          args,
          signal: new AbortController().signal
        })
        return { exitCode: 0, capsule: capsule.status, run }
      }
      const watcher = createWatcher(questions, { emit: context.emit, canAsk })
      using _watching = questions.desk.watch(capsule.lineage, watcher)
      const exitCode = await runAttached({ capsules, installed }, capsule, {
        ...{ args, signal },
        stdin: readStdin(context),
        stdout: { write: async (bytes) => await writeOutput(context, 'stdout', bytes) },
        stderr: { write: async (bytes) => await writeOutput(context, 'stderr', bytes) }
      })
      return { exitCode, capsule: capsule.status }
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
