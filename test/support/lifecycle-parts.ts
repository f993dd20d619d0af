import { silentLogger } from '#contracts'
import {
  CapsuleError,
  createRunningTable,
  openInstalledRecords,
  openLifecycle,
  parseManifest,
  type CapsuleSource,
  type FetchedCapsule,
  type Lifecycle,
  type LifecycleComponents,
  type LineageState,
  type ManifestCapability,
  type RecordFile,
  type RunningTable
} from '#capsule-host'

/** Who publishes in these tests. */
export const PUBLISHER = 'did:key:z6MkmJDN45ec5MsYmdHTRV5YExnQkeGrhwHhXHf6tmCMAGfz'
/** The lineage of its capsule. */
export const LINEAGE: string = `${PUBLISHER}/notes`

/** A power cut at a chosen step: every durable step counts. */
export class PowerCut extends Error {}

/** A device in memory whose disk survives a {@link PowerCut}, and whose parts can be opened again after it. */
export interface Device {
  readonly kept: Set<string>
  readonly revoked: string[]
  /** Lineages of which another version is installed, in order. */
  readonly changed: string[]
  /** What the lineage keeps now. */
  state: string | undefined
  readonly snapshots: Map<string, string>
  readonly running: RunningTable
  /** Steps until the power is cut; none when it is `undefined`. */
  stepsLeft: number | undefined
  /** CID and version of what runs of the lineage when nothing is installed. */
  shipped: { readonly cid: string; readonly version: string } | undefined
  publish(version: string, capabilities?: readonly ManifestCapability[], publisher?: string): string
  open(): Promise<Lifecycle>
}

/** A device with nothing installed and a state of `'empty'`. */
export function createDevice(): Device {
  const published = new Map<string, FetchedCapsule>()
  let record: string | undefined
  let nextSnapshot = 1
  const step = (): void => {
    if (device.stepsLeft === undefined) return
    if (device.stepsLeft-- <= 0) throw new PowerCut('the power was cut')
  }
  const file: RecordFile = {
    read: async () => await Promise.resolve(record),
    replace: async (text) => {
      step()
      record = await Promise.resolve(text)
    }
  }
  const state: LineageState = {
    snapshot: async () => {
      step()
      const id = `s${nextSnapshot++}`
      device.snapshots.set(id, device.state ?? '')
      return await Promise.resolve(id)
    },
    restore: async (id) => {
      step()
      device.state = await Promise.resolve(device.snapshots.get(id))
    },
    dropSnapshot: async (id) => {
      step()
      device.snapshots.delete(id)
      await Promise.resolve()
    },
    snapshots: async () => await Promise.resolve([...device.snapshots.keys()]),
    usage: async () => await Promise.resolve({ bytes: device.state?.length ?? 0 }),
    remove: async () => {
      step()
      await Promise.resolve()
      device.state = undefined
      device.snapshots.clear()
    }
  }
  const source: CapsuleSource = {
    shipped: async () => await Promise.resolve(device.shipped),
    fetch: async (target) => {
      const latest = [...published.values()].findLast(
        ({ publisher, name }) => `${publisher}/${name}` === target
      )
      const found = published.get(target) ?? latest
      if (found === undefined) throw new CapsuleError('ERR_CAPSULE_TAMPERED', `nothing at ${target}`)
      return await Promise.resolve(found)
    },
    keep: async (cid) => {
      step()
      device.kept.add(cid)
      await Promise.resolve()
    },
    letGo: async (cid) => {
      step()
      device.kept.delete(cid)
      await Promise.resolve()
    }
  }
  const device: Device = {
    ...{
      kept: new Set(),
      revoked: [],
      changed: [],
      state: 'empty',
      snapshots: new Map(),
      stepsLeft: undefined,
      shipped: undefined
    },
    running: createRunningTable({ nowMs: () => 0 }),
    publish: (version, capabilities = [], publisher = PUBLISHER) => {
      const cid = `cid-${publisher.slice(-4)}-${version}`
      const fields = { manifest: 2, name: 'notes', version, substrate: 'wasm', entry: 'a.wasm', capabilities }
      const manifest = parseManifest(new TextEncoder().encode(JSON.stringify(fields)))
      const lineage = `${publisher}/notes`
      published.set(cid, {
        cid,
        lineage,
        root: 'r',
        publisher,
        name: 'notes',
        version,
        files: 1,
        bytes: 1,
        manifest
      })
      return cid
    },
    open: async () => {
      const components: LifecycleComponents = {
        records: await openInstalledRecords(file),
        ...{ source, running: device.running, logger: silentLogger, clock: { nowMs: () => 7 } },
        stateOf: async () => await Promise.resolve(state),
        onChanged: (lineage) => {
          device.changed.push(lineage)
        },
        revokeGrants: async (lineage) => {
          step()
          device.revoked.push(lineage)
          await Promise.resolve()
        }
      }
      return await openLifecycle(components)
    }
  }
  return device
}
