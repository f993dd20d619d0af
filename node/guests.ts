import { isAbsolute, join } from 'node:path'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { errorCode, type GuestStatus } from '#contracts'
import {
  capsuleReference,
  CapsuleError,
  packageRoot,
  verifyCapsule,
  type VerifiedCapsule
} from '#capsule-host'
import { parseCid, type Content } from '#content'
import type { PublisherIndex } from '#dht'
import { parseDid, type Did } from '#did'
import {
  GUEST_DESCRIPTION,
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
import { NodeError } from './errors.ts'
import { publishRelease, type PublishComponents } from './publish-release.ts'

/** What {@link createGuests} works with. */
export interface GuestsComponents extends PublishComponents {
  readonly content: Pick<Content, 'addFiles' | 'putBlock' | 'getBlock' | 'readFiles'>
  readonly index: PublisherIndex
  readonly contacts: Pick<Contacts, 'didOf'>
  readonly isDenied: (did: string) => boolean
  readonly powers: GuestPowers
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
  /** Replaces the guest in a folder by another, whole or not at all. */
  writeFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>
}

/** Options of {@link Guests.use}. */
export interface UseOptions {
  readonly signal: AbortSignal
  readonly onProgress?: (bytes: number) => void
}

/** The guest that machines of this node start: where it comes from, and that it is the one that was chosen. */
export interface Guests {
  /**
   * Sees to it that the chosen guest lies in its folder, fetching it when it does not.
   *
   * @throws VmmError `ERR_VM_GUEST_INVALID`; what finding and fetching throw
   */
  provide(signal: AbortSignal): Promise<void>
  /**
   * Fetches a guest, verifies it, and has machines start it from now on. A folder holds one of the owner's own.
   *
   * @param target - a CID, a did, a petname or an absolute path
   * @param options.onProgress - called with the bytes read so far: first with 0, when it was found
   * @throws VmmError, CapsuleError why it is none that can be started here; ContentError, DhtError; NodeError
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
const GUEST_FILES = ['kernel', 'initrd', GUEST_DESCRIPTION]

/** Guests over content, names and the data folder. */
export function createGuests(components: GuestsComponents): Guests {
  const { folder, choice, powers } = components
  let last: Promise<unknown> = Promise.resolve()
  // One after the other: machines that start together want one guest, and fetch it once.
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work)
    last = done.catch(() => undefined)
    return await done
  }
  let provided: string | undefined
  const install = async (target: string, options: UseOptions): Promise<GuestStatus> => {
    const arch = archHere(components)
    const guest = await find(components, target, { arch, ...options })
    const files = new Map(guest.opened.files)
    if (guest.signed !== undefined) files.set(GUEST_SIGNATURE, guest.signed)
    await powers.writeFolder(folder, files)
    return await describe(guest)
  }
  return {
    provide: async (signal) =>
      await inTurn(async () => {
        const wanted = choice()
        if (wanted === undefined || wanted === provided) return
        if (!(await isHere(components, wanted))) await install(wanted, { signal })
        provided = wanted
      }),
    use: async (target, options) =>
      await inTurn(async () => {
        const wanted = isAbsolute(target) ? undefined : toChoice(components, target)
        const status = await install(wanted ?? target, options)
        await components.remember(wanted)
        provided = wanted
        return status
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

/** A guest that was verified; an unsigned one is the owner's own. */
interface FoundGuest {
  readonly opened: GuestPackage
  readonly cid?: CID
  readonly publisher?: Did
  readonly signed?: Uint8Array
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

async function find(
  components: GuestsComponents,
  target: string,
  { arch, signal, onProgress }: UseOptions & { readonly arch: MachineArch }
): Promise<FoundGuest> {
  if (isAbsolute(target)) return { opened: openGuest(await readGuest(components, target), arch) }
  const { content, index, isDenied } = components
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
  if (isDenied(release.publisher)) {
    throw new NodeError('ERR_PUBLISHER_DENIED', `${release.publisher} is on the deny list`)
  }
  const files = new Map<string, Uint8Array>()
  let bytes = 0
  onProgress?.(bytes)
  const limits = { bytesMax: GUEST_BYTES_MAX, filesMax: GUEST_FILES.length, signal }
  for await (const file of content.readFiles(release.root, limits)) {
    files.set(file.path, file.content)
    onProgress?.((bytes += file.content.byteLength))
  }
  const opened = openGuest(files, arch)
  checkVersion(opened, release)
  return { opened, cid, publisher: release.publisher, signed }
}

function checkVersion({ description }: GuestPackage, { version }: VerifiedCapsule): void {
  const own = guestVersion(description)
  if (own === version) return
  throw new CapsuleError('ERR_CAPSULE_VERSION_MISMATCH', `expected a guest of version ${version}, got ${own}`)
}

/** Whether what lies in the folder is what was chosen, to the byte. */
async function isHere(components: GuestsComponents, wanted: string): Promise<boolean> {
  const { powers, folder } = components
  const signed = await powers.readFile(join(folder, GUEST_SIGNATURE), SIGNED_BYTES_MAX)
  if (signed === undefined) return false
  try {
    const arch = archHere(components)
    const release = verifyCapsule(signed, { name: guestName(arch) })
    const opened = openGuest(await readGuest(components, folder), arch)
    if (!(await packageRoot(opened.files)).equals(release.root)) return false
    return wanted.startsWith('did:') ? release.publisher === wanted : (await cidOf(signed)) === wanted
  } catch {
    // Damaged or of before: it is fetched anew.
    return false
  }
}

async function cidOf(block: Uint8Array): Promise<string> {
  return CID.createV1(0x71, await sha256.digest(block)).toString()
}

async function readGuest(
  { powers }: Pick<GuestsComponents, 'powers'>,
  folder: string
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of GUEST_FILES) {
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
