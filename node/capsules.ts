import { createHash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import { errorCode, type CapsuleStatus, type Clock, type Logger } from '#contracts'
import {
  buildCapsule,
  capsuleReference,
  CapsuleError,
  createFolderReader,
  lineageOf,
  openPackage,
  PACKAGE_BYTES_MAX,
  PACKAGE_FILES_MAX,
  verifyCapsule,
  type BrokerSession,
  type BuildComponents,
  type CapsuleOutcome,
  type CapsuleProcessInit,
  type CapsuleSession,
  type CapsuleSubstrate,
  type HostPowers,
  type OpenedPackage,
  type PackageReader,
  type TerminalPower,
  type VerifiedCapsule
} from '#capsule-host'
import type { Content } from '#content'
import type { PublisherIndex } from '#dht'
import type { Did, Keystore } from '#did'
import type { CapsuleRuntime } from './capsule-runtime.ts'
import { parseCapsuleTarget, type CapsuleTarget } from './capsule-target.ts'
import type { Contacts } from './contacts.ts'
import { NodeError } from './errors.ts'
import { publisherOf, publishRelease } from './publish-release.ts'
import type { ReleaseCapsules } from './release-capsules.ts'

/** What capsules need of the other parts of a node. */
export interface CapsulesComponents {
  readonly content: Pick<Content, 'addFiles' | 'getBlock' | 'putBlock' | 'readFiles'>
  readonly index: PublisherIndex
  readonly keystore: Pick<Keystore, 'publisher' | 'refresh' | 'summary'>
  readonly contacts: Pick<Contacts, 'didOf'>
  readonly powers: HostPowers
  /** Makes root images of capsules for microVMs. */
  readonly makeImage: NonNullable<BuildComponents['makeImage']>
  readonly clock: Clock
  readonly logger: Logger
  readonly isDenied: (did: string) => boolean
  readonly runtime: Pick<CapsuleRuntime, 'start'>
  readonly release: Pick<ReleaseCapsules, 'current' | 'lineageOf'>
}

/** A capsule whose every byte was verified; an unsigned one is the owner's own, from a folder. */
export interface VerifiedPackage {
  readonly status: CapsuleStatus
  /** What its state and grants belong to. */
  readonly lineage: string
  readonly opened: OpenedPackage
  readonly isOwn: boolean
}

/** What publishing a capsule did. */
export interface PublishedCapsule extends CapsuleStatus {
  readonly publisher: Did
  /** Which version of the lineage's entry it is, from 1. */
  readonly sequence: number
  /** False when nobody could be told of it yet. */
  readonly isAnnounced: boolean
}

/** The standard streams of a run and what may end it. */
export type CapsuleStreams = Pick<
  CapsuleProcessInit,
  'args' | 'stdin' | 'stdout' | 'stderr' | 'signal' | 'trace'
> & {
  /** Called with the process it is in, once there is one. */
  readonly onProcess?: (pid: number | undefined) => void
  /** Called with its session, before its process runs. */
  readonly onSession?: (session: Pick<BrokerSession, 'resize'>) => void
  /** Called with what it says for its log, made harmless. */
  readonly onLog?: NonNullable<CapsuleSession['log']>
  /** Called with how many messages came on its channel. */
  readonly onCalls?: (count: number) => void
  /** Where it runs; where it is made for when absent. A module also runs in a machine of its own. */
  readonly substrate?: CapsuleSubstrate
  /** Whether a stranger's capsule for a microVM may run where a machine is only emulated. */
  readonly allowsEmulated?: boolean
  /** Called with what its user should know before it runs: by what its machine is held. */
  readonly onNotice?: (text: string) => void
  /** The terminal of its user, where there is one and it may draw on it. */
  readonly terminal?: TerminalPower
}

/** Options of {@link Capsules.verify}. */
export interface VerifyOptions {
  readonly signal: AbortSignal
  /** Also the owner's own unsigned capsule, from a folder. */
  readonly isDevelopment?: boolean
  /** Called with the bytes read so far: first with 0, when the capsule was found. */
  readonly onProgress?: (bytes: number) => void
}

/** Signed programs: publish, verify, run. */
export interface Capsules {
  /**
   * Builds, checks, adds and signs the capsule in `folder`, and makes it the head of its lineage.
   *
   * @throws CapsuleError, ContentError, DhtError; NodeError `ERR_PUBLISHER_KEY_MISSING`
   */
  publish(folder: string, options: { signal: AbortSignal; isFirst?: boolean }): Promise<PublishedCapsule>
  /**
   * Finds a capsule by name, CID or folder and reads all of it, so that nothing of it can run unverified.
   *
   * @throws CapsuleError with the reason it is not what it claims; ContentError, DhtError; NodeError `ERR_UNSIGNED_REFUSED`
   */
  verify(target: string, options: VerifyOptions): Promise<VerifiedPackage>
  /** Runs a verified capsule in a process of its own until it ends. @throws CapsuleError why it could not, or was ended */
  run(capsule: VerifiedPackage, streams: CapsuleStreams): Promise<number>
}

/** Capsules over content, names and the sandbox of this machine. */
export function createCapsules(components: CapsulesComponents): Capsules {
  return {
    publish: async (folder, options) => await publish(components, folder, options),
    verify: async (target, options) => await verify(components, target, options),
    run: async (capsule, { onProcess, ...streams }) => {
      const { process } = await components.runtime.start(capsule, streams)
      await using running = process
      onProcess?.(running.pid)
      return exitCodeOf(await running.finished)
    }
  }
}

function exitCodeOf(outcome: CapsuleOutcome): number {
  if (outcome.kind === 'error') throw outcome.error
  return outcome.exitCode
}

async function publish(
  components: CapsulesComponents,
  folder: string,
  { signal, isFirst = false }: { signal: AbortSignal; isFirst?: boolean }
): Promise<PublishedCapsule> {
  const { powers } = components
  await publisherOf(components)
  const built = await buildCapsule(components, { folder, signal })
  const files = await readFolder(powers, folder, { signal, leftOut: built.manifest.image })
  const { manifest, ...opened } = await openPackage(readerOf(files), { signal })
  const { name, version } = manifest
  const release = { kind: 'capsule', name, version, files, isFirst, signal }
  const { cid, root, ...published } = await publishRelease(components, release)
  const status = { cid: cid.toString(), root: root.toString(), name, version, isSigned: true }
  return { ...status, ...published, files: opened.files, bytes: opened.bytes }
}

async function verify(
  components: CapsulesComponents,
  text: string,
  options: VerifyOptions
): Promise<VerifiedPackage> {
  const target = parseCapsuleTarget(text)
  if (target.kind === 'folder') return await openOwn(components, target.folder, options)
  if (target.kind === 'shipped') return await components.release.current(target.name, options)
  const { cid, expected } = await locate(components, target, options.signal)
  if (capsuleReference(cid) !== 'signed') {
    throw new CapsuleError(
      'ERR_CAPSULE_UNSIGNED',
      `expected the CID of a signed capsule, got ${cid.toString()}`
    )
  }
  const release = verifyCapsule(await components.content.getBlock(cid, options), expected)
  options.onProgress?.(0)
  if (components.isDenied(release.publisher)) {
    throw new NodeError('ERR_PUBLISHER_DENIED', `${release.publisher} is on the deny list`)
  }
  const opened = await openPackage(await readPackage(components, release, options), {
    signal: options.signal,
    release
  })
  const { publisher, root, name, version } = release
  const status = { cid: cid.toString(), root: root.toString(), publisher, name, version, isSigned: true }
  return {
    status: { ...status, files: opened.files, bytes: opened.bytes },
    ...{ lineage: await components.release.lineageOf(status), opened, isOwn: false }
  }
}

async function locate(
  { index, contacts }: CapsulesComponents,
  target: Exclude<CapsuleTarget, { kind: 'folder' | 'shipped' }>,
  signal: AbortSignal
): Promise<{ cid: CID; expected: { publisher?: Did; name?: string } }> {
  if (target.kind === 'cid') return { cid: target.cid, expected: {} }
  const publisher = target.kind === 'did' ? target.did : contacts.didOf(target.petname)
  const { head } = await index.lookup(publisher, { kind: 'capsule', name: target.name, signal })
  return { cid: head, expected: { publisher, name: target.name } }
}

/** Reads a package into memory, every block verified on its way; its limits are those of a package. */
async function readPackage(
  { content }: CapsulesComponents,
  { root }: VerifiedCapsule,
  { signal, onProgress }: VerifyOptions
): Promise<PackageReader> {
  const files = new Map<string, Uint8Array>()
  let bytes = 0
  try {
    const limits = { bytesMax: PACKAGE_BYTES_MAX, filesMax: PACKAGE_FILES_MAX, signal }
    for await (const file of content.readFiles(root, limits)) {
      files.set(file.path, file.content)
      onProgress?.((bytes += file.content.byteLength))
    }
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_CONTENT_TOO_LARGE') throw cause
    throw new CapsuleError('ERR_PACKAGE_TOO_LARGE', 'expected a package within its limits', { cause })
  }
  return readerOf(files)
}

/** Reads a folder into memory, so that what is checked is what is signed, whatever happens to the folder. */
async function readFolder(
  powers: HostPowers,
  folder: string,
  { signal, leftOut }: { signal: AbortSignal; leftOut: string | undefined }
): Promise<Map<string, Uint8Array>> {
  const reader = createFolderReader(powers, folder, leftOut)
  const files = new Map<string, Uint8Array>()
  let total = 0
  for await (const { path, bytes } of reader.list({ signal })) {
    total += bytes
    if (files.size >= PACKAGE_FILES_MAX || total > PACKAGE_BYTES_MAX) {
      throw new CapsuleError(
        'ERR_PACKAGE_TOO_LARGE',
        `expected at most ${PACKAGE_FILES_MAX} files of ${PACKAGE_BYTES_MAX} bytes in all in ${folder}`
      )
    }
    files.set(path, await reader.read(path, { bytesMax: bytes, signal }))
  }
  return files
}

function readerOf(files: ReadonlyMap<string, Uint8Array>): PackageReader {
  return {
    list: async function* () {
      for (const [path, bytes] of files) yield await Promise.resolve({ path, bytes: bytes.byteLength })
    },
    read: async (path) => {
      const bytes = files.get(path)
      if (bytes !== undefined) return await Promise.resolve(bytes)
      throw new CapsuleError('ERR_PACKAGE_INVALID', `expected the file ${path} in the package, got none`)
    }
  }
}

async function openOwn(
  components: CapsulesComponents,
  folder: string,
  { signal, isDevelopment = false }: VerifyOptions
): Promise<VerifiedPackage> {
  const path = await components.powers.resolvePath(folder)
  if (path === undefined) {
    throw new CapsuleError('ERR_PACKAGE_INVALID', `expected the folder of a capsule at ${folder}, got none`)
  }
  if (!isDevelopment) {
    throw new NodeError(
      'ERR_UNSIGNED_REFUSED',
      "a folder is not signed: run your own with --dev, or publish it ('elastos capsule publish')"
    )
  }
  const { manifest } = await buildCapsule(components, { folder, signal })
  const read = await readFolder(components.powers, folder, { signal, leftOut: manifest.image })
  const opened = await openPackage(readerOf(read), { signal })
  const { name, version } = opened.manifest
  const { files, bytes } = opened
  const status = { cid: '', root: '', name, version, files, bytes, isSigned: false }
  return { status, lineage: ownLineageOf(path, name), opened, isOwn: true }
}

/** What an unsigned capsule's state belongs to: nobody vouches for its name, so it is that of its folder. */
function ownLineageOf(folder: string, name: string): string {
  return lineageOf(`dev:${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`, name)
}
