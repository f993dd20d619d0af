import type {
  CapsuleChangeStatus,
  CapsulePlanStatus,
  Clock,
  InstalledStatus,
  RunningStatus
} from '#contracts'
import {
  CapsuleError,
  capsuleLimits,
  isEmptyCeiling,
  readProcessUsage,
  type InstalledCapsule,
  type InstallPlan,
  type LifecycleChange,
  type RunSummary
} from '#capsule-host'
import type { Capsules } from '../capsules.ts'
import { createDeadline } from '../deadline.ts'
import type { InstalledCapsules } from '../installed-capsules.ts'
import { createReporter } from './content-handlers.ts'
import type { Handler, HandlersOf } from './handlers.ts'

type LifecycleMethod =
  | 'capsule.plan'
  | 'capsule.install'
  | 'capsule.list'
  | 'capsule.inspect'
  | 'capsule.logs'
  | 'capsule.top'
  | 'capsule.stop'
  | 'capsule.rollback'
  | 'capsule.remove'

/** What the handlers act on. */
export interface LifecycleHandlerParts {
  readonly capsules: Pick<Capsules, 'verify'>
  readonly installed: InstalledCapsules
  /** A lineage for `PETNAME/NAME`; other text as it is. */
  readonly toLineage: (target: string) => string
  readonly clock: Clock
}

/** How long finding a capsule may take. */
const FIND_DEADLINE_MS = 60_000

/** Installed capsules for commands. */
export function createLifecycleHandlers(parts: LifecycleHandlerParts): HandlersOf<LifecycleMethod> {
  const { installed, toLineage } = parts
  const { lifecycle, running } = installed
  const find = (name: string): InstalledCapsule => lifecycle.find(toLineage(name))
  return {
    'capsule.plan': createPlanHandler(parts),
    'capsule.install': async ({ cid, as }, { signal, emit }) => {
      const report = createReporter(emit)
      const options = { signal, onProgress: (bytes: number) => report({ phase: 'verifying', bytes }) }
      return describeChange(parts, await lifecycle.install(cid, { ...options, alias: as }))
    },
    'capsule.list': async () =>
      await Promise.resolve({ capsules: lifecycle.list().map((capsule) => describe(parts, capsule)) }),
    'capsule.inspect': async ({ name }, { signal }) => {
      const capsule = find(name)
      const { opened } = await parts.capsules.verify(capsule.current, { signal })
      const { manifest } = opened
      const { description, capabilities, requires, provides, powers, files } = manifest
      const stateBytes = await installed.stateBytes(capsule.lineage)
      return {
        ...describe(parts, capsule),
        ...(description === undefined ? {} : { description }),
        ceiling: { capabilities, requires, provides, powers, files },
        limits: { ...capsuleLimits(manifest) },
        ...(stateBytes === undefined ? {} : { stateBytes })
      }
    },
    'capsule.logs': createLogsHandler(parts),
    'capsule.top': async () => ({ running: await describeRuns(parts, running.list()) }),
    'capsule.stop': async ({ name, run }) => {
      const matches = matcherOf(parts, name, run)
      const before = await describeRuns(parts, running.list().filter(matches))
      const ids = new Set((await running.stop(matches)).map(({ id }) => id))
      return { stopped: before.filter((status) => ids.has(status.run)) }
    },
    'capsule.rollback': async ({ name, version }) =>
      describeChange(parts, await lifecycle.rollback(toLineage(name), { version })),
    'capsule.remove': async ({ name, data = false }) => {
      const change = await lifecycle.remove(toLineage(name), { data })
      if (data) await installed.logs.remove(change.capsule.lineage)
      return describeChange(parts, change)
    }
  }
}

function createPlanHandler({ installed, toLineage, clock }: LifecycleHandlerParts): Handler<'capsule.plan'> {
  const { lifecycle } = installed
  return async ({ target, as, installed: isInstalled = false, deadlineMs }, { signal, emit }) => {
    const report = createReporter(emit)
    // For an update the name is that of an installed capsule, and what is looked for is its lineage's latest.
    const lineage = toLineage(target)
    const wanted = isInstalled ? lifecycle.find(lineage).lineage : lineage
    const idleMs = deadlineMs ?? FIND_DEADLINE_MS
    using deadline = createDeadline({ clock, signal, idleMs, what: 'the capsule was not found' })
    const plan = await lifecycle.plan(wanted, {
      signal: deadline.signal,
      alias: as,
      onProgress: (bytes) => {
        deadline[Symbol.dispose]()
        report({ phase: 'fetching', bytes })
      }
    })
    return describePlan(plan)
  }
}

function createLogsHandler({ installed, toLineage }: LifecycleHandlerParts): Handler<'capsule.logs'> {
  const { lifecycle, logs, running } = installed
  return async ({ name, lines: linesMax, follow = false }, { signal, emit }) => {
    const wanted = toLineage(name)
    // What runs from a folder is not installed and has a log all the same.
    const lineage =
      lifecycle.lookup(wanted)?.lineage ?? running.lineageOf(name) ?? lifecycle.find(wanted).lineage
    const lines = await logs.tail(lineage, linesMax)
    if (!follow) return { lineage, lines }
    await emit({ kind: 'log', lines })
    // A reader that is slow loses lines rather than filling this process's memory.
    let isSending = false
    using _following = logs.follow(lineage, (added) => {
      if (isSending) return
      isSending = true
      void emit({ kind: 'log', lines: added })
        .catch(() => undefined)
        .finally(() => (isSending = false))
    })
    await new Promise<void>((stop) => signal.addEventListener('abort', () => stop(), { once: true }))
    return { lineage, lines: [] }
  }
}

/** Which runs a command means; nobody means a run that is not there. */
function matcherOf(
  { installed, toLineage }: LifecycleHandlerParts,
  name: string | undefined,
  id: number | undefined
): (run: RunSummary) => boolean {
  const lineage =
    name === undefined ? undefined : (installed.lifecycle.lookup(toLineage(name))?.lineage ?? name)
  const matches = (run: RunSummary): boolean => {
    if (id !== undefined) return run.id === id
    return lineage === undefined || run.lineage === lineage || run.name === lineage
  }
  if (!installed.running.list().some(matches)) throw notRunning(name ?? String(id ?? 'at all'))
  return matches
}

function notRunning(name: string): CapsuleError {
  return new CapsuleError(
    'ERR_CAPSULE_NOT_RUNNING',
    `no capsule called ${name.slice(0, 160)} runs: 'elastos capsule top' shows what does`
  )
}

async function describeRuns(
  { installed, clock }: LifecycleHandlerParts,
  runs: readonly RunSummary[]
): Promise<RunningStatus[]> {
  const nowMs = clock.nowMs()
  return await Promise.all(
    runs.map(async ({ id, startedAtMs, cid: _cid, pid, ...run }) => {
      const usage = pid === undefined ? undefined : await readProcessUsage(pid)
      const alias = installed.lifecycle.lookup(run.lineage)?.alias
      return {
        run: id,
        ...run,
        ...(alias === undefined ? {} : { alias }),
        upMs: Math.max(0, nowMs - startedAtMs),
        ...(pid === undefined ? {} : { pid }),
        ...usage
      }
    })
  )
}

function describe({ installed }: LifecycleHandlerParts, capsule: InstalledCapsule): InstalledStatus {
  const { alias, lineage, publisher, name, current, installedAtMs } = capsule
  return {
    ...{ alias, lineage, publisher, name, installedAtMs },
    version: capsule.versions.find(({ cid }) => cid === current)?.version ?? '',
    cid: current,
    running: installed.running.list().filter((run) => run.lineage === lineage).length,
    versions: capsule.versions.map(({ cid, version, installedAtMs: atMs, snapshot }) => ({
      ...{ cid, version, installedAtMs: atMs },
      isCurrent: cid === current,
      hasState: snapshot !== undefined
    }))
  }
}

function describeChange(
  parts: LifecycleHandlerParts,
  { capsule, stopped, isStateRestored }: LifecycleChange
): CapsuleChangeStatus {
  return { capsule: describe(parts, capsule), stopped, isStateRestored }
}

function describePlan(plan: InstallPlan): CapsulePlanStatus {
  const { kind, lineage, alias, aliasTakenBy, from, isOlder, ceiling, added } = plan
  const { manifest, ...capsule } = plan.capsule
  return {
    ...{ kind, lineage, alias, isOlder, ceiling, added },
    capsule: { ...capsule, isSigned: true },
    ...(aliasTakenBy === undefined ? {} : { aliasTakenBy }),
    ...(from === undefined ? {} : { from }),
    ...(manifest.description === undefined ? {} : { description: manifest.description }),
    needsConsent: kind === 'install' || isOlder || !isEmptyCeiling(added)
  }
}
