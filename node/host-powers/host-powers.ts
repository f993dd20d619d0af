import type { HostPower } from '#capsule-host'
import type { CapsuleRuntime } from '../capsule-runtime.ts'
import { createContentPower, type ContentPowerComponents } from './content.ts'
import { createDiskPower } from './disk.ts'
import { createHttpPower } from './http.ts'
import { systemWeb } from './powers.ts'
import { createRoomsPower, type RoomsPowerComponents } from './rooms.ts'
import { createSignPower, type SignPowerComponents } from './sign.ts'

/** What the powers of a node act on. */
export interface HostPowersComponents
  extends RoomsPowerComponents, SignPowerComponents, ContentPowerComponents {
  /** Asks a person: the shell capsule's. */
  readonly shell: HostPower
  /** Only used when a capsule uses its files. */
  readonly runtime: () => Pick<CapsuleRuntime, 'filesOf' | 'lineageOf'>
}

/** What a node lends to the capsules that provide contracts, by the names that manifests use. */
export function createHostPowers(components: HostPowersComponents): Map<string, HostPower> {
  const { runtime, clock } = components
  const disk = createDiskPower({
    lineageOf: async (subject) => await runtime().lineageOf(subject),
    openRoot: async (lineage) => await runtime().filesOf(lineage)
  })
  return new Map([
    ['shell', components.shell],
    ['disk', disk],
    ['sign', createSignPower(components)],
    ['rooms', createRoomsPower(components)],
    ['content', createContentPower(components)],
    ['http', createHttpPower({ web: systemWeb, clock })]
  ])
}
