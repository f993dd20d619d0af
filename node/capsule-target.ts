import type { CID } from 'multiformats/cid'
import { errorCode } from '#contracts'
import { isCapsuleName, lineageOf } from '#capsule-host'
import { parseCid } from '#content'
import { parseDid, type Did } from '#did'
import type { Contacts } from './contacts.ts'
import { NodeError } from './errors.ts'

/** What `capsule run` was asked for. */
export type CapsuleTarget =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'cid'; readonly cid: CID }
  | { readonly kind: 'did'; readonly did: Did; readonly name: string }
  | { readonly kind: 'shipped'; readonly name: string }
  | { readonly kind: 'petname'; readonly petname: string; readonly name: string }

const EXPECTED =
  'expected the name of an installed capsule, a CID, a folder such as ./hello, did:key:…/NAME or PETNAME/NAME'

/**
 * Reads a capsule's target: an absolute path, a CID, `did:key:…/NAME` or `PETNAME/NAME`.
 *
 * @throws NodeError `ERR_TARGET_INVALID`; ContentError or DidError for what looks like a CID or a did and is none
 */
export function parseCapsuleTarget(text: string): CapsuleTarget {
  if (text.startsWith('/')) return { kind: 'folder', folder: text }
  const slash = text.indexOf('/')
  if (slash === -1) return { kind: 'cid', cid: readCid(text) }
  const publisher = text.slice(0, slash)
  const name = text.slice(slash + 1)
  if (!isCapsuleName(name)) throw new NodeError('ERR_TARGET_INVALID', EXPECTED)
  if (publisher.startsWith('did:')) return { kind: 'did', did: parseDid(publisher), name }
  if (publisher === 'shipped') return { kind: 'shipped', name }
  return { kind: 'petname', petname: publisher, name }
}

/** A name alone says nothing of whose it is, which is what who typed one wants to hear. */
function readCid(text: string): CID {
  try {
    return parseCid(text)
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_CID_INVALID' || !isCapsuleName(text)) throw cause
    throw new NodeError('ERR_TARGET_INVALID', `${EXPECTED}, got ${text}`, { cause })
  }
}

/** Reads `PETNAME/NAME` as the lineage it means here; other text, such as an alias, stays as it is. */
export function createLineageReader(contacts: Pick<Contacts, 'list'>): (target: string) => string {
  return (target) => {
    const [petname = '', name, ...more] = target.split('/')
    if (name === undefined || more.length > 0 || !isCapsuleName(name)) return target
    const wanted = petname.normalize('NFC')
    const did = contacts.list().find((contact) => contact.petname === wanted)?.did
    return did === undefined ? target : lineageOf(did, name)
  }
}
