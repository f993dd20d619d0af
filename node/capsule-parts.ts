import { join } from 'node:path'
import type { DenyList } from '#bootstrap'
import {
  createRunningTable,
  findGuestEntry,
  startProviderDirectory,
  systemPowers,
  type ModuleRuntime
} from '#capsule-host'
import type { Content } from '#content'
import type { PublisherIndex } from '#dht'
import type { Rooms } from '#rooms'
import type { ShellMode } from '#shell'
import type { NodeBase } from './base.ts'
import { createCapsuleRuntime, type CapsuleRuntime } from './capsule-runtime.ts'
import { createCapsules, type Capsules } from './capsules.ts'
import { makeRootImage, mendGuestFolder, systemGuestBuildPowers, systemVmmPowers } from '#vmm'
import { createHostPowers } from './host-powers/host-powers.ts'
import {
  openInstalledCapsules,
  type InstalledCapsules,
  type InstalledComponents
} from './installed-capsules.ts'
import { createGuests, type Guests } from './guests.ts'
import { createMachines, type Machines } from './machines.ts'
import { makeModuleImage } from './module-image.ts'
import { keepAnswer } from './keep-answer.ts'
import { openProviderChoices, type NodeProviderChoices } from './provider-choices.ts'
import { createProviderSource, startProvider, type StartProviderComponents } from './provider-source.ts'
import { readBounded } from './powers.ts'
import { createReleaseCapsules, type ReleaseCapsules } from './release-capsules.ts'
import { createNodeShell, type NodeShell, type RunningShell } from './shell.ts'
import type { NodeInit } from './types.ts'

/** What capsules need of the other parts of a node. */
export interface CapsulePartsComponents {
  readonly content: Content
  readonly index: PublisherIndex
  readonly rooms: Rooms
  readonly denyList: DenyList
  readonly init: Pick<NodeInit, 'acceptsOlderFiles' | 'shell' | 'powers'>
}

/** All of a node that is about capsules. */
export interface CapsuleParts {
  readonly capsules: Capsules
  readonly installed: InstalledCapsules
  readonly shell: NodeShell
  readonly runtime: CapsuleRuntime
  readonly providers: NodeProviderChoices
  readonly guests: Guests
}

/** Joins what is about capsules; `stack` ends it. @throws CapsuleError `ERR_CAPSULE_RECORD` */
export async function startCapsuleParts(
  base: NodeBase,
  { content, index, rooms, denyList, init }: CapsulePartsComponents,
  stack: AsyncDisposableStack
): Promise<CapsuleParts> {
  const { keystore, contacts, clock, logger } = base
  const running = createRunningTable(clock)
  const release = createReleaseCapsules({
    installed: () => installed.lifecycle,
    verify: async (cid, options) => await capsules.verify(cid, options)
  })
  const shell: NodeShell = createNodeShell(
    {
      ...base,
      did: keystore.device.did,
      start: async (mode) => await startShell({ runtime, running, logger, release }, mode),
      filesBelow: async (lineage, resource) => await runtime.filesBelow(lineage, resource),
      keep: async (question, answer) => await keepAnswer(await runtime.authority(), question, answer)
    },
    init
  )
  const hostPowers = createHostPowers({
    ...{ rooms, keystore, content, clock, shell: shell.power, runtime: () => runtime },
    noteUse: async () => await base.remember({ hasChatted: true })
  })
  const guests = createNodeGuests(base, { content, index, denyList })
  const choices = await openProviderChoices(base.files, join(base.paths.capsules, 'providers.json'))
  const runtime: CapsuleRuntime = stack.use(
    createCapsuleRuntime({
      ...base,
      ...{ powers: systemPowers, hostPowers, shell: shell.shell, moduleImage: imageMaker(base) },
      ...{ guestEntry: findGuestEntry(), acceptsOlderFiles: init.acceptsOlderFiles },
      machines: stack.use(await openMachines(base, guests, init)),
      givenPowers: (lineage) => choices.powersOf(lineage),
      createDirectory: (started) =>
        startProviderDirectory({
          ...{ choices, clock, logger },
          source: createProviderSource({
            ...{ runtime: started, running, logger },
            ...{ release, capsules: () => capsules },
            installed: () => installed.lifecycle
          })
        })
    })
  )
  // Before what it stands on ends.
  stack.use(shell)
  const capsules = createCapsules({
    ...{ content, index, keystore, contacts, clock, logger, runtime, release },
    powers: systemPowers,
    makeImage: async (image) => await makeRootImage(image),
    isDenied: (did) => denyList.isDeniedDid(did)
  })
  const installed = stack.use(
    await openInstalledCapsules(
      { ...base, capsules, content, running, release, ...hooksOf(runtime, choices) },
      base.paths.capsules
    )
  )
  return { capsules, installed, shell, runtime, providers: choices, guests }
}

async function openMachines(
  base: NodeBase,
  guests: Guests,
  init: CapsulePartsComponents['init']
): Promise<Machines> {
  const machines = createMachines({ ...base, powers: systemVmmPowers, holdGuest: guests.hold })
  // A simulated node has no folder to clean, and its virtual time waits for no real disk.
  if (init.powers?.datastore === undefined) await machines.clean()
  return machines
}

function createNodeGuests(
  base: NodeBase,
  { content, index, denyList }: Pick<CapsulePartsComponents, 'content' | 'index' | 'denyList'>
): Guests {
  return createGuests({
    ...{ content, index, keystore: base.keystore, contacts: base.contacts, clock: base.clock },
    denyList,
    powers: {
      readFile: readBounded,
      writeFolder: systemGuestBuildPowers.writeFolder,
      mendFolder: mendGuestFolder
    },
    folder: base.paths.guest,
    platform: systemVmmPowers,
    choice: () => base.choices.guest,
    remember: async (guest) => await base.remember({ guest })
  })
}

/** What a change of what is installed means for what runs. */
function hooksOf(
  runtime: CapsuleRuntime,
  choices: NodeProviderChoices
): Pick<InstalledComponents, 'stateOf' | 'revokeGrants' | 'onChanged'> {
  return {
    stateOf: async (lineage) => await runtime.stateOf(lineage),
    revokeGrants: async (lineage) => {
      await choices.forget(lineage)
      await runtime.revokeGrants(lineage)
    },
    onChanged: (lineage) => runtime.unloadProviders(lineage)
  }
}

/** Starts the shell of this release. @throws CapsuleError why it cannot be started */
async function startShell(
  components: StartProviderComponents & { readonly release: Pick<ReleaseCapsules, 'current'> },
  mode: ShellMode
): Promise<RunningShell> {
  const { signal } = new AbortController()
  return await startProvider(components, await components.release.current('shell', { signal }), [mode])
}

/** Makes the image that modules run with in machines. */
function imageMaker(base: NodeBase): (runtime: ModuleRuntime) => Promise<string> {
  const { hashFile } = systemVmmPowers
  return async (runtime) => await makeModuleImage({ ...base, powers: systemPowers, hashFile }, runtime)
}
