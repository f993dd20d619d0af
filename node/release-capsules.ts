import { compareVersions, lineageOf, type InstalledCapsule, type Lifecycle } from '#capsule-host'
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
  /** The one that ships with this lineage; `undefined` for any other lineage. */
  shipped(lineage: string): Promise<VerifiedPackage | undefined>
  /** What the state and grants of a signed capsule belong to once its user has installed it. */
  installedLineageOf(publisher: string, name: string): Promise<string>
  /**
   * What the state and grants of a signed capsule belong to that is run: of what ships and its updates that of
   * {@link ReleaseCapsules.current} alone. Any manifest can name another version, such as an old one with a hole in it.
   */
  lineageOf(capsule: {
    readonly publisher: string
    readonly name: string
    readonly cid: string
  }): Promise<string>
  /** Where later versions of what ships are published; any other target as it is. */
  publishedAt(target: string): Promise<string>
}

/** What is verified to run an installed capsule: its version, or what decides which one of the release that is. */
export function installedTarget({ lineage, current }: Pick<InstalledCapsule, 'lineage' | 'current'>): string {
  return lineage.startsWith(SHIPPED_PREFIX) ? lineage : current
}

/** The capsules of this release, and what was installed of them. */
export function createReleaseCapsules(components: ReleaseCapsulesComponents): ReleaseCapsules {
  const { installed, verify, load = loadShippedCapsule, isShipped = isShippedName } = components
  /** The version that was installed in the place of the one that ships. */
  const updateOf = ({ lineage, status }: VerifiedPackage): string | undefined => {
    const update = installed().lookup(lineage)
    const version = update?.versions.find(({ cid }) => cid === update.current)?.version
    // A later release brings a later capsule: what was installed before must not keep its mistakes.
    const isLater = version !== undefined && compareVersions(version, status.version) > 0
    return isLater ? update?.current : undefined
  }
  /** The capsule that ships under this name, when it is by this publisher. */
  const shippedBy = async (publisher: string, name: string): Promise<VerifiedPackage | undefined> => {
    const shipped = isShipped(name) ? await load(name) : undefined
    return shipped?.status.publisher === publisher ? shipped : undefined
  }
  const nameOf = (lineage: string): string | undefined => {
    const name = lineage.slice(SHIPPED_PREFIX.length)
    return lineage.startsWith(SHIPPED_PREFIX) && isShipped(name) ? name : undefined
  }
  return {
    shipped: async (lineage) => {
      const name = nameOf(lineage)
      return name === undefined ? undefined : await load(name)
    },
    current: async (name, options) => {
      const shipped = await load(name)
      const update = updateOf(shipped)
      return update === undefined ? shipped : await verify(update, options)
    },
    installedLineageOf: async (publisher, name) =>
      (await shippedBy(publisher, name))?.lineage ?? lineageOf(publisher, name),
    lineageOf: async ({ publisher, name, cid }) => {
      const shipped = await shippedBy(publisher, name)
      const isCurrent = shipped !== undefined && cid === (updateOf(shipped) ?? shipped.status.cid)
      return isCurrent ? shipped.lineage : lineageOf(publisher, name)
    },
    publishedAt: async (target) => {
      const name = nameOf(target)
      if (name === undefined) return target
      const { publisher } = (await load(name)).status
      // One that was compiled from its sources just now has nobody who could publish another.
      return publisher === undefined ? target : lineageOf(publisher, name)
    }
  }
}
