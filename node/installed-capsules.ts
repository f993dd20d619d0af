import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import type { Clock, Logger } from '#contracts'
import {
  CapsuleError,
  createCapsuleLogs,
  createLogFiles,
  openInstalledRecords,
  openLifecycle,
  type CapsuleLogs,
  type CapsuleSource,
  type Lifecycle,
  type LineageState,
  type RunningTable
} from '#capsule-host'
import type { Content } from '#content'
import type { Capsules } from './capsules.ts'
import type { ReleaseCapsules } from './release-capsules.ts'
import type { TextFiles } from './text-files.ts'

/** What is installed on this device, what of it runs, and what it wrote. */
export interface InstalledCapsules extends AsyncDisposable {
  readonly lifecycle: Lifecycle
  readonly running: RunningTable
  readonly logs: CapsuleLogs
  /** Bytes of what a lineage keeps; `undefined` when it keeps nothing. */
  stateBytes(lineage: string): Promise<number | undefined>
}

/** What {@link openInstalledCapsules} works with. */
export interface InstalledComponents {
  readonly capsules: Pick<Capsules, 'verify'>
  readonly release: Pick<ReleaseCapsules, 'installedLineageOf' | 'publishedAt' | 'shipped'>
  readonly content: Pick<Content, 'pin' | 'pins' | 'unpin'>
  readonly running: RunningTable
  readonly files: TextFiles
  readonly clock: Clock
  readonly logger: Logger
  readonly stateOf?: (lineage: string) => Promise<LineageState | undefined>
  readonly revokeGrants?: (lineage: string) => Promise<void>
  /** Called when what is installed of a lineage may be another than before. */
  readonly onChanged?: (lineage: string) => void
}

/**
 * Opens what is installed in `folder`; disposing it ends what runs.
 *
 * @throws CapsuleError `ERR_CAPSULE_RECORD`
 */
export async function openInstalledCapsules(
  components: InstalledComponents,
  folder: string
): Promise<InstalledCapsules> {
  const { files, clock, logger, running } = components
  const path = join(folder, 'installed.json')
  const records = await openInstalledRecords({
    read: async (bytesMax) => await files.read(path, bytesMax),
    replace: async (text) => await files.replace(path, text)
  })
  const stateOf = components.stateOf ?? (async () => await Promise.resolve(undefined))
  const lifecycle = await openLifecycle({
    ...{ records, running, clock, logger, stateOf },
    source: createSource(components),
    revokeGrants: components.revokeGrants ?? (async () => await Promise.resolve()),
    onChanged: components.onChanged
  })
  return {
    ...{ lifecycle, running },
    logs: createCapsuleLogs({ files: createLogFiles(join(folder, 'logs')), clock }),
    stateBytes: async (lineage) => (await (await stateOf(lineage))?.usage())?.bytes,
    [Symbol.asyncDispose]: async () => {
      await running.stop(() => true)
    }
  }
}

/** By this a pin that installing made is told from one that its owner made. */
const PIN_PREFIX = 'installed: '

function createSource({ capsules, content, release }: InstalledComponents): CapsuleSource {
  return {
    shipped: async (lineage) => {
      const shipped = await release.shipped(lineage)
      // One that was compiled from its sources just now has nobody who could publish another.
      if (shipped?.status.publisher === undefined) return undefined
      const { cid, version } = shipped.status
      return { cid, version }
    },
    fetch: async (target, { lineage: known = '', ...options }) => {
      const shipped = await release.shipped(known)
      const { status, opened } =
        shipped?.status.cid === target
          ? shipped
          : await capsules.verify(await release.publishedAt(target), options)
      const { cid, root, publisher, name, version, files, bytes } = status
      if (publisher === undefined) {
        // Nobody's state may belong to a lineage without a publisher.
        throw new CapsuleError('ERR_CAPSULE_UNSIGNED', `expected a signed capsule to install, got ${name}`)
      }
      const lineage = await release.installedLineageOf(publisher, name)
      return { cid, lineage, root, publisher, name, version, files, bytes, manifest: opened.manifest }
    },
    keep: async (cid, { signal, name }) => {
      // A pin of the owner's own keeps it already; that one's name and visibility are not ours to change.
      if ((await pinNameOf(content, cid)) !== undefined) return
      await content.pin(CID.parse(cid), { private: true, name: `${PIN_PREFIX}${name}`, signal })
    },
    letGo: async (cid) => {
      const name = await pinNameOf(content, cid)
      if (name?.startsWith(PIN_PREFIX) === true) await content.unpin(CID.parse(cid))
    }
  }
}

/** The name of a pin, empty when it has none; `undefined` when there is no pin. */
async function pinNameOf(content: Pick<Content, 'pins'>, cid: string): Promise<string | undefined> {
  for await (const pin of content.pins()) if (pin.cid.toString() === cid) return pin.name ?? ''
  return undefined
}
