import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { signCapsule } from '#capsule-host'
import type { Content } from '#content'
import { DhtError, type PublisherIndex } from '#dht'
import type { Did, Keystore } from '#did'
import { NodeError } from './errors.ts'

/** What publishing needs of the other parts of a node. */
export interface PublishComponents {
  readonly content: Pick<Content, 'addFiles' | 'putBlock'>
  readonly index: PublisherIndex
  readonly keystore: Pick<Keystore, 'publisher' | 'refresh' | 'summary'>
}

/** A package to publish. */
export interface ReleaseInit {
  /** What it is in its publisher's index: `capsule` or `guest`. */
  readonly kind: string
  readonly name: string
  readonly version: string
  /** By path. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** This key never published before. */
  readonly isFirst: boolean
  readonly signal: AbortSignal
}

/** A package that was signed and is its publisher's latest of that name. */
export interface PublishedRelease {
  /** Of the signed block. */
  readonly cid: CID
  readonly root: CID
  readonly publisher: Did
  /** Which version of the entry it is, from 1. */
  readonly sequence: number
  /** False when nobody could be told of it yet. */
  readonly isAnnounced: boolean
}

/**
 * The key that publishes in this person's name.
 *
 * @throws NodeError `ERR_PUBLISHER_KEY_MISSING`
 */
export async function publisherOf({
  keystore
}: Pick<PublishComponents, 'keystore'>): Promise<NonNullable<ReturnType<Keystore['publisher']>>> {
  // A command may have locked or removed the key since this node started.
  await keystore.refresh()
  const publisher = keystore.publisher()
  if (publisher !== undefined) return publisher
  throw new NodeError(
    'ERR_PUBLISHER_KEY_MISSING',
    "this device may not publish in your name: its key is locked or not kept here ('elastos id show')"
  )
}

/**
 * Adds a package, signs it, and makes it the head of its entry in its publisher's index.
 *
 * @throws CapsuleError, ContentError, DhtError; NodeError `ERR_PUBLISHER_KEY_MISSING`
 */
export async function publishRelease(
  { content, index, keystore }: PublishComponents,
  { kind, name, version, files, isFirst, signal }: ReleaseInit
): Promise<PublishedRelease> {
  const publisher = await publisherOf({ keystore })
  const entries = [...files].map(([path, file]) => ({ path, content: file }))
  const { cid: root, announcement } = await content.addFiles(entries, { name, signal })
  const previous = await latestOf(index, publisher.did, { kind, name, signal }).catch((thrown: unknown) => {
    throw explainAlone(thrown, { name, version, cid: root })
  })
  const block = signCapsule(publisher, { root, name, version, previous })
  const { cid } = await content.putBlock(block, { codec: 'dag-cbor', public: true, name, signal })
  // While the words are still here this identity was made on this device, so nothing was published elsewhere.
  const firstPublish = isFirst || keystore.summary().status.root !== 'absent'
  const head = { kind, name, head: cid, firstPublish, signal }
  const published = await index.publish(publisher, head).catch((thrown: unknown) => {
    throw explainAlone(thrown, { name, version, cid })
  })
  const isAnnounced = announcement.state === 'announced'
  return { cid, root, publisher: publisher.did, sequence: published.sequence, isAnnounced }
}

/** Codes that say an entry has no version yet. */
const ABSENT: ReadonlySet<string> = new Set(['ERR_NAME_NOT_FOUND', 'ERR_INDEX_ENTRY_NOT_FOUND'])

/** The signed block a new version follows; a first version follows none. */
async function latestOf(
  index: PublisherIndex,
  publisher: Did,
  entry: { kind: string; name: string; signal: AbortSignal }
): Promise<CID | undefined> {
  try {
    return (await index.lookup(publisher, entry)).head
  } catch (thrown) {
    if (ABSENT.has(errorCode(thrown) ?? '')) return undefined
    throw thrown
  }
}

/** Says what became of a package that could be added here but not entered in its publisher's index. */
function explainAlone(
  thrown: unknown,
  { name, version, cid }: { readonly name: string; readonly version: string; readonly cid: CID }
): unknown {
  const kept = `${name} ${version} is kept on this device as ${cid.toString()}`
  const code = errorCode(thrown)
  if (code === 'ERR_DHT_NO_PEERS') {
    const todo = 'publish it again once a peer is there'
    const why = 'no peer is reachable to say which version came before it'
    return new DhtError(code, `${kept}, but not published: ${why}; ${todo}`, { cause: thrown })
  }
  if (code === 'ERR_DHT_NOT_STORED') {
    const later = 'this is tried again by itself until one does'
    return new DhtError(code, `${kept} and signed, but no peer took its name yet: ${later}`, {
      cause: thrown
    })
  }
  return thrown
}
