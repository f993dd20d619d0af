import { compareVersions, lineageOf, type Lifecycle } from '#capsule-host'
import type { VerifiedPackage, VerifyOptions } from './capsules.ts'
import { isShippedName, loadShippedCapsule, SHIPPED_PREFIX } from './shipped-capsules.ts'

/** What {@link createReleaseCapsules} works with. */
export interface ReleaseCapsulesComponents {
  /** A capsule as this release ships it. */
  readonly load?: (name: string) => Promise<VerifiedPackage>
  readonly isShipped?: (name: string) => boolean
  /** What is installed; only read after all parts are made. */
  readonly installed: () => Pick<Lifecycle, 'lookup'>
  /** Reads and verifies a signed capsule by its CID. */
  readonly verify: (cid: string, options: VerifyOptions) => Promise<VerifiedPackage>
}

/**
 * The capsules of this release, each of which can be updated by itself: whoever signed what ships may publish a later version of
 * it, and that one, once its user installed it, has the lineage, the state and the powers of the shipped one.
 */
export interface ReleaseCapsules {
  /** The one to run: the one that ships, or a later one that was installed. @throws CapsuleError why it is not what it claims */
  current(name: string, options: VerifyOptions): Promise<VerifiedPackage>
  /** What the state and grants of a signed capsule belong to. */
  lineageOf(publisher: string, name: string): Promise<string>
  /** Where later versions of what ships are published; any other target as it is. */
  publishedAt(target: string): Promise<string>
}

/** The capsules of this release, and what was installed of them. */
export function createReleaseCapsules(components: ReleaseCapsulesComponents): ReleaseCapsules {
  const { installed, verify, load = loadShippedCapsule, isShipped = isShippedName } = components
  return {
    current: async (name, options) => {
      const shipped = await load(name)
      const update = installed().lookup(SHIPPED_PREFIX + name)
      const version = update?.versions.find(({ cid }) => cid === update.current)?.version
      // A later release brings a later capsule: what was installed before must not keep its mistakes.
      if (update === undefined || version === undefined) return shipped
      if (compareVersions(version, shipped.status.version) <= 0) return shipped
      return await verify(update.current, options)
    },
    lineageOf: async (publisher, name) => {
      const own = lineageOf(publisher, name)
      if (!isShipped(name)) return own
      const shipped = await load(name)
      return shipped.status.publisher === publisher ? shipped.lineage : own
    },
    publishedAt: async (target) => {
      const name = target.slice(SHIPPED_PREFIX.length)
      if (!target.startsWith(SHIPPED_PREFIX) || !isShipped(name)) return target
      const { publisher } = (await load(name)).status
      // One that was compiled from its sources just now has nobody who could publish another.
      return publisher === undefined ? target : lineageOf(publisher, name)
    }
  }
}
