import { isAbsolute, join } from 'node:path'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import type { DenyList } from '#bootstrap'
import { errorCode, orAborted, type Clock, type GuestStatus } from '#contracts'
import {
  capsuleReference,
  CapsuleError,
  packageRoot,
  verifyCapsule,
  type VerifiedCapsule
} from '#capsule-host'
import { ContentError, parseCid, type Content } from '#content'
import type { PublisherIndex } from '#dht'
import { parseDid, type Did } from '#did'
import {
  GUEST_PACKAGE_FILES,
  GUEST_SIGNATURE,
  guestName,
  guestVersion,
  machineArch,
  openGuest,
  VmmError,
  whyNoMachines,
  type GuestPackage,
  type MachineArch
} from '#vmm'
import type { Contacts } from './contacts.ts'
import { createDeadline } from './deadline.ts'
import { NodeError } from './errors.ts'
import { publishRelease, type PublishComponents } from './publish-release.ts'

/** What {@link createGuests} works with. */
export interface GuestsComponents extends PublishComponents {
  readonly content: Pick<Content, 'addFiles' | 'putBlock' | 'getBlock' | 'readFiles'>
  readonly index: PublisherIndex
  readonly contacts: Pick<Contacts, 'didOf'>
  readonly denyList: Pick<DenyList, 'isDeniedDid' | 'isDeniedCid'>
  readonly powers: GuestPowers
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>
  /** The folder that machines start their guest from. */
  readonly folder: string
  readonly platform: { readonly platform: string; readonly arch: string }
  /** What was chosen: a CID or a did; `undefined` for what lies in the folder. */
  readonly choice: () => string | undefined
  readonly remember: (choice: string | undefined) => Promise<void>
}

/** What guests take from the operating system. */
export interface GuestPowers {
  /** A file of at most `bytesMax`, `undefined` when there is none. @throws for a larger one */
  readFile(path: string, bytesMax: number): Promise<Uint8Array | undefined>
  /** Replaces the guest in a folder by another, whole or not at all; for a moment there is none. */
  writeFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>
  /** Mends what a kill in the middle of that leaves. */
  mendFolder(folder: string): Promise<void>
}

/** Options of {@link Guests.use}. */
export interface UseOptions {
  readonly signal: AbortSignal
  /** How long finding it may take once its turn came; {@link GUEST_FIND_MS_MAX} when absent. */
  readonly findMsMax?: number | undefined
  readonly onProgress?: (bytes: number) => void
}

/** The guest that machines of this node start: where it comes from, and that it is the one that was chosen. */
export interface Guests {
  /**
   * Sees to it that the chosen guest lies in its folder, fetching it when it does not, and keeps it where it is until what is
   * returned is disposed: no machine starts from half a guest. Who is denied is asked each time.
   *
   * @throws VmmError `ERR_VM_GUEST_INVALID`; NodeError `ERR_PUBLISHER_DENIED`, ContentError `ERR_CONTENT_DENIED`; what finding and
   * fetching throw, for whoever asks within {@link FETCH_AGAIN_MS} too; NodeError `ERR_DEADLINE`; the reason of `signal`, while it
   * waits for its turn too
   */
  hold(signal: AbortSignal): Promise<Disposable>
  /**
   * Fetches a guest, verifies it, and has machines start it from now on. A folder holds one of the owner's own.
   *
   * @param target - a CID, a did, a petname or an absolute path
   * @param options.onProgress - called with the bytes read so far: first with 0, when it was found
   * @throws VmmError, CapsuleError why it is none that can be started here; ContentError, DhtError; NodeError; the reason of
   * `options.signal`, while it waits for its turn too
   */
  use(target: string, options: UseOptions): Promise<GuestStatus>
  /** Signs the guest in `folder` and makes it its publisher's for its processors. @throws as publishing does */
  publish(
    folder: string,
    options: { isFirst: boolean; signal: AbortSignal }
  ): Promise<GuestStatus & { publisher: Did; sequence: number; isAnnounced: boolean }>
}

/** How a guest is entered in its publisher's index. */
const GUEST_KIND = 'guest'
const GUEST_BYTES_MAX = 192 * 1024 * 1024
const SIGNED_BYTES_MAX = 4096
/** How long finding a guest may take; from then on content itself gives up when nothing more arrives. */
const GUEST_FIND_MS_MAX = 60_000
/** How long the chosen guest may take to come where it is not: all who start a machine wait for it. */
const GUEST_FETCH_MS_MAX = 600_000
/** How long a fetch that failed counts for others: those who waited for it fail with it, and not one after the other. */
const FETCH_AGAIN_MS = 5000

const DENIALS: ReadonlySet<string | undefined> = new Set(['ERR_PUBLISHER_DENIED', 'ERR_CONTENT_DENIED'])

/** Guests over content, names and the data folder. */
export function createGuests(components: GuestsComponents): Guests {
  const { folder, choice, powers, clock } = components
  const inTurn = createTurns(() => powers.mendFolder(folder))
  const holds = createHolds()
  const fetchOnce = createFailureMemory(clock)
  let kept: KeptGuest | undefined
  const install = async (target: string, options: UseOptions): Promise<FoundGuest> => {
    const guest = await findInTime(components, target, options)
    const files = new Map(guest.opened.files)
    if (guest.signed !== undefined) files.set(GUEST_SIGNATURE, guest.signed)
    await holds.whenFree(options.signal)
    await powers.writeFolder(folder, files)
    return guest
  }
  const provide = async (signal: AbortSignal): Promise<void> => {
    const wanted = choice()
    if (kept === undefined || kept.choice !== wanted) kept = await readKept(components, wanted)
    if (kept !== undefined) checkDenied(components, kept)
    if (wanted === undefined || (kept !== undefined && !isDenied(components, kept))) return
    kept = await fetchOnce(wanted, signal, async () => {
      using deadline = createDeadline({
        ...{ clock, signal, idleMs: GUEST_FETCH_MS_MAX, what: 'the guest did not come' }
      })
      return keptOf(wanted, await install(wanted, { signal: deadline.signal }))
    })
  }
  return {
    hold: async (signal) =>
      await inTurn(signal, async () => {
        await provide(signal)
        return holds.take()
      }),
    use: async (target, options) =>
      await inTurn(options.signal, async () => {
        const wanted = isAbsolute(target) ? undefined : toChoice(components, target)
        const guest = await install(wanted ?? target, options)
        await components.remember(wanted)
        kept = keptOf(wanted, guest)
        return await describe(guest)
      }),
    publish: async (from, { isFirst, signal }) => {
      const opened = openGuest(await readGuest(components, from))
      const { files, description } = opened
      const release = {
        kind: GUEST_KIND,
        name: guestName(description.arch),
        version: guestVersion(description)
      }
      const published = await publishRelease(components, { ...release, files, isFirst, signal })
      const { publisher, sequence, isAnnounced, cid } = published
      const status = await describe({ opened, cid, publisher })
      return { ...status, publisher, sequence, isAnnounced }
    }
  }
}

/** One after the other: machines that start together want one guest, and fetch it once. Whoever waits may leave. */
function createTurns(
  before: () => Promise<void>
): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let last: Promise<void> = Promise.resolve()
  let isReady = false
  return async (signal, work) => {
    const turn = last
    const done = Promise.withResolvers<void>()
    // Who left lets nobody pass those before him.
    last = turn.then(() => done.promise)
    try {
      await orAborted(turn, signal)
      if (!isReady) await before()
      isReady = true
      return await work()
    } finally {
      done.resolve()
    }
  }
}

/** Does what others wait for; when that failed a moment ago, it fails the same way without being done. */
function createFailureMemory({
  monotonicMs
}: Pick<Clock, 'monotonicMs'>): <T>(what: string, signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let failure: { readonly what: string; readonly thrown: unknown; readonly untilMs: number } | undefined
  return async (what, signal, work) => {
    if (failure?.what === what && monotonicMs() < failure.untilMs) throw failure.thrown
    failure = undefined
    try {
      return await work()
    } catch (thrown) {
      // Who left says nothing of what he waited for, and who is denied may be so no more in a moment.
      if (!signal.aborted && !DENIALS.has(errorCode(thrown)))
        failure = { what, thrown, untilMs: monotonicMs() + FETCH_AGAIN_MS }
      throw thrown
    }
  }
}

/** Who needs the folder as it is. */
function createHolds(): { take(): Disposable; whenFree(signal: AbortSignal): Promise<void> } {
  const holders = new Set<Promise<void>>()
  return {
    take: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      holders.add(promise)
      return {
        [Symbol.dispose]: () => {
          holders.delete(promise)
          resolve()
        }
      }
    },
    whenFree: async (signal) => {
      await orAborted(Promise.all(holders), signal)
    }
  }
}

/** A guest that was verified; an unsigned one is the owner's own. */
interface FoundGuest {
  readonly opened: GuestPackage
  readonly cid?: CID
  readonly root?: CID
  readonly publisher?: Did
  readonly signed?: Uint8Array
}

/** A signed guest that lies in the folder, for which choice, and by what it may be denied. */
interface KeptGuest {
  readonly choice: string | undefined
  readonly publisher: Did
  readonly cids: readonly CID[]
}

function keptOf(choice: string | undefined, { publisher, cid, root }: FoundGuest): KeptGuest | undefined {
  if (publisher === undefined) return undefined
  return { choice, publisher, cids: [cid, root].filter((one) => one !== undefined) }
}

/** Of a publisher there may be another guest by now. */
function checkDenied(components: GuestsComponents, kept: KeptGuest): void {
  checkPublisher(components, kept.publisher)
  if (kept.choice?.startsWith('did:') === true || !isDenied(components, kept)) return
  throw new ContentError('ERR_CONTENT_DENIED', `the guest ${String(kept.cids[0])} is on the deny list`)
}

function isDenied({ denyList }: GuestsComponents, { cids }: KeptGuest): boolean {
  return cids.some((cid) => denyList.isDeniedCid(cid))
}

function checkPublisher({ denyList }: GuestsComponents, publisher: Did): void {
  if (!denyList.isDeniedDid(publisher)) return
  throw new NodeError('ERR_PUBLISHER_DENIED', `${publisher} is on the deny list`)
}

async function describe({ opened, cid, publisher }: FoundGuest): Promise<GuestStatus> {
  const { description, files } = opened
  return {
    ...(cid === undefined ? {} : { cid: cid.toString() }),
    ...(publisher === undefined ? {} : { publisher }),
    root: (await packageRoot(files)).toString(),
    arch: description.arch,
    version: guestVersion(description),
    bytes: [...files.values()].reduce((sum, file) => sum + file.byteLength, 0)
  }
}

function archHere({ platform }: GuestsComponents): MachineArch {
  const arch = machineArch(platform.arch)
  const reason = whyNoMachines(platform)
  if (arch !== undefined && reason === undefined) return arch
  throw new VmmError('ERR_VM_UNAVAILABLE', `expected a machine that guests are for: ${reason ?? ''}`)
}

/** What is remembered of a target: petnames may come to mean somebody else. */
function toChoice({ contacts }: GuestsComponents, target: string): string {
  if (target.startsWith('did:')) return parseDid(target)
  try {
    return parseCid(target).toString()
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_CID_INVALID') throw cause
    return contacts.didOf(target)
  }
}

async function findInTime(
  components: GuestsComponents,
  target: string,
  { signal, findMsMax = GUEST_FIND_MS_MAX, onProgress }: UseOptions
): Promise<FoundGuest> {
  const arch = archHere(components)
  const { clock } = components
  using deadline = createDeadline({ clock, signal, idleMs: findMsMax, what: 'the guest was not found' })
  const onFound = (bytes: number): void => {
    deadline[Symbol.dispose]()
    onProgress?.(bytes)
  }
  return await find(components, target, { arch, signal: deadline.signal, onProgress: onFound })
}

async function find(
  components: GuestsComponents,
  target: string,
  { arch, signal, onProgress }: UseOptions & { readonly arch: MachineArch }
): Promise<FoundGuest> {
  if (isAbsolute(target)) return { opened: openGuest(await readGuest(components, target), arch) }
  const { content, index } = components
  const name = guestName(arch)
  const publisher = target.startsWith('did:') ? parseDid(target) : undefined
  const cid =
    publisher === undefined
      ? parseCid(target)
      : (await index.lookup(publisher, { kind: GUEST_KIND, name, signal })).head
  if (capsuleReference(cid) !== 'signed') {
    throw new CapsuleError(
      'ERR_CAPSULE_UNSIGNED',
      `expected the CID of a signed guest, got ${cid.toString()}`
    )
  }
  const signed = await content.getBlock(cid, { signal })
  const release = verifyCapsule(signed, { publisher, name })
  checkPublisher(components, release.publisher)
  const files = new Map<string, Uint8Array>()
  let bytes = 0
  onProgress?.(bytes)
  const limits = { bytesMax: GUEST_BYTES_MAX, filesMax: GUEST_PACKAGE_FILES.length, signal }
  for await (const file of content.readFiles(release.root, limits)) {
    files.set(file.path, file.content)
    onProgress?.((bytes += file.content.byteLength))
  }
  const opened = openGuest(files, arch)
  checkVersion(opened, release)
  return { opened, cid, root: release.root, publisher: release.publisher, signed }
}

function checkVersion({ description }: GuestPackage, { version }: VerifiedCapsule): void {
  const own = guestVersion(description)
  if (own === version) return
  throw new CapsuleError('ERR_CAPSULE_VERSION_MISMATCH', `expected a guest of version ${version}, got ${own}`)
}

/** What lies in the folder when that is what was chosen, to the byte; without a choice, whatever somebody signed. */
async function readKept(
  components: GuestsComponents,
  wanted: string | undefined
): Promise<KeptGuest | undefined> {
  const { powers, folder } = components
  const signed = await powers.readFile(join(folder, GUEST_SIGNATURE), SIGNED_BYTES_MAX)
  if (signed === undefined) return undefined
  try {
    const arch = archHere(components)
    const release = verifyCapsule(signed, { name: guestName(arch) })
    const cid = await cidOf(signed)
    const kept: KeptGuest = { choice: wanted, publisher: release.publisher, cids: [cid, release.root] }
    if (wanted === undefined) return kept
    const opened = openGuest(await readGuest(components, folder), arch)
    if (!(await packageRoot(opened.files)).equals(release.root)) return undefined
    const isWanted = wanted.startsWith('did:') ? release.publisher === wanted : cid.toString() === wanted
    return isWanted ? kept : undefined
  } catch {
    // Damaged or of before: it is fetched anew.
    return undefined
  }
}

async function cidOf(block: Uint8Array): Promise<CID> {
  return CID.createV1(0x71, await sha256.digest(block))
}

async function readGuest(
  { powers }: Pick<GuestsComponents, 'powers'>,
  folder: string
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of GUEST_PACKAGE_FILES) {
    const bytes = await powers.readFile(join(folder, name), GUEST_BYTES_MAX)
    if (bytes === undefined) {
      throw new VmmError('ERR_VM_GUEST_INVALID', `expected a guest in ${folder}, it has no ${name}`, {
        detail: ['build one: elastos guest build FOLDER']
      })
    }
    files.set(name, bytes)
  }
  return files
}
