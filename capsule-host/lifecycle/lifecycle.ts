import { errorCode, errorMessage } from '#contracts'
import { INSTALLED_VERSIONS_MAX } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import { isCapsuleName } from '../manifest.ts'
import { printable } from '../text.ts'
import { ceilingOf, newInCeiling } from './ceiling.ts'
import {
  tellChanges,
  type InstalledCapsule,
  type InstalledRecords,
  type InstalledVersion,
  type PendingChange
} from './records.ts'
import type {
  FetchedCapsule,
  FetchOptions,
  InstallPlan,
  Lifecycle,
  LifecycleChange,
  LifecycleComponents
} from './types.ts'
import { compareVersions } from './version-order.ts'

/** The lifecycle over what is installed; changes are made one after the other. */
export async function openLifecycle(init: LifecycleComponents): Promise<Lifecycle> {
  const components = { ...init, records: tellChanges(init.records, init.onChanged) }
  const { records, logger } = components
  const inOrder = createQueue()
  const lookup = (name: string): InstalledCapsule | undefined => findInstalled(records, name)
  const find = (name: string): InstalledCapsule => {
    const found = lookup(name)
    if (found !== undefined) return found
    throw new CapsuleError(
      'ERR_CAPSULE_NOT_INSTALLED',
      `no capsule called ${printable(name, 160)} is installed: 'elastos capsule list' shows what is`
    )
  }
  for (const capsule of records.list()) {
    if (capsule.pending === undefined && capsule.isUnswept !== true) continue
    await finishChange(components, capsule).catch((thrown: unknown) => {
      logger.error('an interrupted change of version is still open', {
        lineage: capsule.lineage,
        code: errorCode(thrown),
        reason: errorMessage(thrown)
      })
    })
  }
  return {
    ...{ lookup, find },
    list: () => records.list(),
    plan: async (target, options) => await planInstall(components, target, options),
    install: async (cid, options) => await inOrder(async () => await install(components, cid, options)),
    rollback: async (name, { version }) =>
      await inOrder(async () => await rollback(components, find(name), version)),
    remove: async (name, options) => await inOrder(async () => await remove(components, find(name), options)),
    settle: async (name) => await inOrder(async () => (await finishChange(components, find(name))).capsule)
  }
}

/** The lineage of a publisher's capsule. */
export function lineageOf(publisher: string, name: string): string {
  return `${publisher}/${name}`
}

function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return async (work) => {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return await done
  }
}

function findInstalled(records: InstalledRecords, name: string): InstalledCapsule | undefined {
  return (
    records.ofAlias(name) ??
    records.ofLineage(name) ??
    records.list().find(({ versions }) => versions.some(({ cid }) => cid === name))
  )
}

async function planInstall(
  { records, source }: LifecycleComponents,
  target: string,
  { alias: wanted, ...options }: FetchOptions & { alias?: string | undefined }
): Promise<InstallPlan> {
  const capsule = await source.fetch(target, options)
  const { lineage } = capsule
  const installed = records.ofLineage(lineage)
  const alias = aliasFor(capsule, { installed, wanted })
  const holder = records.ofAlias(alias)?.lineage
  const ceiling = ceilingOf(capsule.manifest)
  const plan = { lineage, capsule, alias, ceiling, aliasTakenBy: holder === lineage ? undefined : holder }
  if (installed === undefined) return { ...plan, kind: 'install', isOlder: false, added: ceiling }
  // When the version that runs cannot be read any more, all of the new one counts as new.
  const before = await source.fetch(installed.current, { ...options, lineage }).catch(() => undefined)
  const from = installed.versions.find(({ cid }) => cid === installed.current)?.version
  return {
    ...plan,
    kind: installed.current === capsule.cid ? 'same' : 'update',
    from,
    isOlder: from !== undefined && compareVersions(capsule.version, from) < 0,
    added: before === undefined ? ceiling : newInCeiling(ceilingOf(before.manifest), ceiling)
  }
}

function aliasFor(
  { name }: FetchedCapsule,
  { installed, wanted }: { installed: InstalledCapsule | undefined; wanted: string | undefined }
): string {
  const alias = wanted ?? installed?.alias ?? name
  if (isCapsuleName(alias)) return alias
  throw new CapsuleError(
    'ERR_CAPSULE_NAME_TAKEN',
    'expected a name of lower-case letters, digits and single hyphens to call it by'
  )
}

async function install(
  components: LifecycleComponents,
  cid: string,
  options: FetchOptions & { alias?: string | undefined }
): Promise<LifecycleChange> {
  const { records, source, clock } = components
  const { kind, lineage, alias, aliasTakenBy, capsule } = await planInstall(components, cid, options)
  if (aliasTakenBy !== undefined) {
    throw new CapsuleError(
      'ERR_CAPSULE_NAME_TAKEN',
      `${alias} is what ${aliasTakenBy} is called here: choose another name with --as`
    )
  }
  await source.keep(capsule.cid, { signal: options.signal, name: `${capsule.name} ${capsule.version}` })
  const nowMs = clock.nowMs()
  const entry: InstalledVersion = { cid: capsule.cid, version: capsule.version, installedAtMs: nowMs }
  const { publisher, name } = capsule
  const before = records.ofLineage(lineage) ?? (await shippedBefore(components, { capsule, alias, nowMs }))
  if (before === undefined) {
    const first = { lineage, alias, publisher, name, installedAtMs: nowMs, current: cid, versions: [entry] }
    await records.put(first)
    return { capsule: first, stopped: 0, isStateRestored: false }
  }
  if (kind === 'same') {
    const same = { ...before, alias }
    await records.put(same)
    return { capsule: same, stopped: 0, isStateRestored: false }
  }
  const stopped = await stopLineage(components, lineage)
  const left = await leaveCurrent(components, (await finishChange(components, before)).capsule)
  const versions = [entry, ...left.versions.filter((version) => version.cid !== cid)]
  const after = { ...left, alias, current: cid, versions: versions.slice(0, INSTALLED_VERSIONS_MAX) }
  await records.put(after)
  const swept = await sweep(components, after)
  await letGoOfVersions(components, left, after)
  return { capsule: swept, stopped, isStateRestored: false }
}

/** What runs here already without anybody having installed it: the version that ships, whose state is worth going back to. */
async function shippedBefore(
  { source }: LifecycleComponents,
  o: { capsule: FetchedCapsule; alias: string; nowMs: number }
): Promise<InstalledCapsule | undefined> {
  const { lineage, publisher, name, cid } = o.capsule
  const shipped = await source.shipped(lineage)
  if (shipped === undefined || shipped.cid === cid) return undefined
  return {
    ...{ lineage, alias: o.alias, publisher, name, installedAtMs: o.nowMs },
    ...{ current: shipped.cid, versions: [{ ...shipped, installedAtMs: o.nowMs }] }
  }
}

/** The record with the state remembered at the version that is about to be left; a crash from here on is swept after. */
async function leaveCurrent(
  { records, stateOf }: LifecycleComponents,
  capsule: InstalledCapsule
): Promise<InstalledCapsule> {
  const state = await stateOf(capsule.lineage)
  if (state === undefined) return capsule
  await records.put({ ...capsule, isUnswept: true })
  const snapshot = await state.snapshot()
  return {
    ...capsule,
    isUnswept: true,
    versions: capsule.versions.map((version) =>
      version.cid === capsule.current ? { ...version, snapshot } : version
    )
  }
}

async function rollback(
  components: LifecycleComponents,
  capsule: InstalledCapsule,
  wanted: string | undefined
): Promise<LifecycleChange> {
  const settled = (await finishChange(components, capsule)).capsule
  const target = versionBefore(settled, wanted)
  const { lineage } = settled
  await refuseReplaced(components, lineage, target)
  // Read now, so that a version that is damaged is not gone back to.
  await components.source.fetch(target.cid, { signal: new AbortController().signal, lineage })
  const stopped = await stopLineage(components, lineage)
  const left = await leaveCurrent(components, settled)
  const pending: PendingChange = {
    to: target.cid,
    ...(target.snapshot === undefined ? {} : { snapshot: target.snapshot })
  }
  // Code and state change together: from here on a crash is finished by the next start, never half done.
  await components.records.put({ ...left, pending })
  const { capsule: after, isStateRestored } = await finishChange(components, { ...left, pending })
  return { capsule: after, stopped, isStateRestored }
}

/** A release runs nothing older than what it ships: its state would be brought back to code that is another. */
async function refuseReplaced(
  { source }: LifecycleComponents,
  lineage: string,
  target: InstalledVersion
): Promise<void> {
  const shipped = await source.shipped(lineage)
  if (shipped === undefined || shipped.cid === target.cid) return
  if (compareVersions(target.version, shipped.version) > 0) return
  throw new CapsuleError(
    'ERR_CAPSULE_NO_VERSION',
    `expected a version later than ${shipped.version}, which came with this release, got ${target.version}`
  )
}

function versionBefore(
  { versions, current }: InstalledCapsule,
  wanted: string | undefined
): InstalledVersion {
  const index = versions.findIndex(({ cid }) => cid === current)
  const found =
    wanted === undefined
      ? versions[index + 1]
      : versions.find(({ version, cid }) => (version === wanted || cid === wanted) && cid !== current)
  if (found !== undefined) return found
  const kept = versions.filter(({ cid }) => cid !== current).map(({ version }) => version)
  throw new CapsuleError(
    'ERR_CAPSULE_NO_VERSION',
    kept.length === 0
      ? 'expected an earlier version to go back to: only this one is kept here'
      : `expected one of the other versions that are kept here, named by --to: ${kept.join(', ')}`
  )
}

/** Makes the version that a pending change leads to the running one, with its state, and drops what is left over. */
async function finishChange(
  components: LifecycleComponents,
  capsule: InstalledCapsule
): Promise<{ capsule: InstalledCapsule; isStateRestored: boolean }> {
  const { records, stateOf } = components
  const { pending, ...rest } = capsule
  if (pending === undefined) return { capsule: await sweep(components, capsule), isStateRestored: false }
  const state = pending.snapshot === undefined ? undefined : await stateOf(capsule.lineage)
  if (state !== undefined && pending.snapshot !== undefined) await state.restore(pending.snapshot)
  const after = { ...rest, current: pending.to }
  await records.put(after)
  return { capsule: await sweep(components, after), isStateRestored: state !== undefined }
}

async function remove(
  components: LifecycleComponents,
  capsule: InstalledCapsule,
  { data }: { data: boolean }
): Promise<LifecycleChange> {
  const { records, source, stateOf, revokeGrants } = components
  const { lineage } = capsule
  const stopped = await stopLineage(components, lineage)
  // Its grants first: what is left of a removal that is interrupted here is a capsule that may do nothing.
  await revokeGrants(lineage)
  const { pending: _abandoned, ...rest } = capsule
  const versions = rest.versions.map(({ snapshot: _dropped, ...version }) => version)
  // No version may name a state that is gone, should this be interrupted.
  await records.put({ ...rest, versions, isUnswept: true })
  if (data) await (await stateOf(lineage))?.remove()
  else await sweep(components, { ...rest, versions, isUnswept: true })
  await records.delete(lineage)
  for (const { cid } of capsule.versions) await source.letGo(cid).catch(() => undefined)
  return { capsule, stopped, isStateRestored: false }
}

async function stopLineage({ running }: LifecycleComponents, lineage: string): Promise<number> {
  return (await running.stop((run) => run.lineage === lineage)).length
}

async function letGoOfVersions(
  { source }: LifecycleComponents,
  before: InstalledCapsule,
  after: InstalledCapsule
): Promise<void> {
  const kept = new Set(after.versions.map(({ cid }) => cid))
  for (const { cid } of before.versions) if (!kept.has(cid)) await source.letGo(cid).catch(() => undefined)
}

/** Drops the remembered states that no version names; where that fails, the next change or start tries again. */
async function sweep(
  { records, stateOf, logger }: LifecycleComponents,
  capsule: InstalledCapsule
): Promise<InstalledCapsule> {
  const { isUnswept, ...swept } = capsule
  if (isUnswept !== true) return capsule
  const named = new Set([capsule.pending?.snapshot, ...capsule.versions.map(({ snapshot }) => snapshot)])
  try {
    const state = await stateOf(capsule.lineage)
    for (const id of (await state?.snapshots()) ?? []) if (!named.has(id)) await state?.dropSnapshot(id)
    await records.put(swept)
    return swept
  } catch (thrown) {
    const why = { code: errorCode(thrown), reason: errorMessage(thrown) }
    logger.warn('remembered states that nobody names are still there', { lineage: capsule.lineage, ...why })
    return capsule
  }
}
