import { errorMessage, orAborted } from '#contracts'
import type { Handover } from './handover.ts'
import { createSpareMonitor, type SpareMonitor, type StartedSpare } from './spare-monitor.ts'
import type { MachineShape } from './take-template.ts'
import type { Template, TemplateAttempt, Templates, TemplatesComponents } from './templates.ts'
import { restoreMachine, startTemplateMonitor, type WaitingMachine } from './waiting-machine.ts'

/** What {@link createRestorer} works with. */
export interface RestorerComponents extends TemplatesComponents {
  readonly handover: Handover
  readonly templates: Pick<Templates, 'known'>
}

/** A machine that is to go on from a template. */
export interface Restore {
  readonly key: string
  readonly shape: MachineShape
  readonly attempt: TemplateAttempt
  /** Its template, once it is there; `undefined` where there is none. */
  template(): Promise<Template | undefined>
}

/** A template on which a monitor is to wait. */
export interface SpareRequest {
  readonly key: string
  readonly shape: MachineShape
  /** Whether it should, asked when its time has come. */
  isWanted(): Promise<boolean>
}

/** Machines that stand still where their template was taken: in the monitor that waits for one, or in a new one. */
export interface Restorer extends AsyncDisposable {
  readonly spare: Pick<SpareMonitor, 'count' | 'drop' | 'settled'>
  /**
   * `undefined` when there is no such machine here.
   *
   * @param signal - of who asked for it and then does not wait for its end; one that nobody takes any more is ended
   * @throws the reason of `signal`, or of that of the restorer
   */
  restore(start: Restore, signal?: AbortSignal): Promise<WaitingMachine | undefined>
  /** Has a monitor wait for the next machine from this template. */
  planSpare(request: SpareRequest): void
}

/**
 * Restores machines until `signal` aborts.
 *
 * @param signal - no machine is restored after it
 */
export function createRestorer(components: RestorerComponents, signal: AbortSignal): Restorer {
  const spare = createSpareMonitor(components)
  return {
    spare,
    restore: async (start, askedBy) => {
      const restoring = restore({ ...components, spare, signal }, start)
      return askedBy === undefined ? await restoring : await orEnded(restoring, askedBy)
    },
    planSpare: ({ key, shape, isWanted }) =>
      spare.plan({ kind: kindOf(key, shape), isWanted, start: () => startSpare(components, key, shape) }),
    [Symbol.asyncDispose]: () => spare[Symbol.asyncDispose]()
  }
}

/** Machines that can stand in for each other: what is limited from outside is so from the start. */
export function kindOf(key: string, { limits }: MachineShape): string {
  return `${key} ${limits.cpuSecondsMax}`
}

interface RestoreComponents extends RestorerComponents {
  readonly spare: SpareMonitor
  readonly signal: AbortSignal
}

async function restore(components: RestoreComponents, start: Restore): Promise<WaitingMachine | undefined> {
  const { handover, signal } = components
  try {
    await handover.open()
    const waiting = (await restoreInSpare(components, start)) ?? (await restoreAnew(components, start))
    if (waiting === undefined || !signal.aborted) return waiting
    await waiting.monitor.end()
  } catch (thrown) {
    if (!signal.aborted) await start.attempt.failed(errorMessage(thrown))
  }
  signal.throwIfAborted()
  return undefined
}

/** One that died while it waited, or does not do as it is told, counts as any other that did not go on. */
async function restoreInSpare(
  components: RestoreComponents,
  { key, shape, attempt, template }: Restore
): Promise<WaitingMachine | undefined> {
  const { spare, signal } = components
  const found = spare.count === 0 ? undefined : await template()
  const monitor = found === undefined ? undefined : spare.take(kindOf(key, shape), found.mark)
  if (found === undefined || monitor === undefined) return undefined
  try {
    return await restoreMachine(components, { monitor, canRehearse: found.canRehearse, wasSpare: true })
  } catch (thrown) {
    if (!signal.aborted) await attempt.failed(errorMessage(thrown))
    return undefined
  }
}

async function restoreAnew(
  components: RestoreComponents,
  { shape, template }: Restore
): Promise<WaitingMachine | undefined> {
  const found = await template()
  if (found === undefined) return undefined
  const monitor = await startOn(components, shape, found)
  return await restoreMachine(components, { monitor, canRehearse: found.canRehearse, wasSpare: false })
}

async function startSpare(
  components: RestorerComponents,
  key: string,
  shape: MachineShape
): Promise<StartedSpare | undefined> {
  await components.handover.open()
  const found = await components.templates.known(key)
  if (found === undefined) return undefined
  return { monitor: await startOn(components, shape, found), mark: found.mark }
}

async function startOn(
  { handover, files, ...components }: RestorerComponents,
  shape: MachineShape,
  { memory, state }: Template
): Promise<StartedSpare['monitor']> {
  await using opened = await files.openForReading(state)
  const from = { memory, state: opened.descriptor, handover: handover.folder }
  return startTemplateMonitor(components, shape, from)
}

/** Who asked need not wait for what others may want too; a machine that nobody takes any more is ended. */
async function orEnded(
  restoring: Promise<WaitingMachine | undefined>,
  signal: AbortSignal
): Promise<WaitingMachine | undefined> {
  try {
    return await orAborted(restoring, signal)
  } catch (thrown) {
    void restoring.then((waiting) => waiting?.monitor.end()).catch(() => undefined)
    throw thrown
  }
}
