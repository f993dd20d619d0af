import * as dagCbor from '@ipld/dag-cbor'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { errorMessage } from '#contracts'
import { DAG_CBOR_CODEC, DAG_PB_CODEC } from './cid.ts'
import { quickLinks } from './dag-pb-links.ts'
import { ContentError } from './errors.ts'

function collect(value: unknown, found: CID[]): void {
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    const cid = CID.asCID(next)
    if (cid !== null) found.push(cid)
    else if (Array.isArray(next)) for (const item of next) pending.push(item)
    else if (typeof next === 'object' && next !== null && !(next instanceof Uint8Array)) {
      for (const item of Object.values(next)) pending.push(item)
    }
  }
}

/**
 * The CIDs that a block links to: those of dag-pb in their order, those of DAG-CBOR in no order, none of raw.
 *
 * @throws ContentError `ERR_DAG_MALFORMED` when the bytes are not of the CID's codec
 */
export function linksOf(cid: CID, bytes: Uint8Array): CID[] {
  try {
    if (cid.code === DAG_PB_CODEC) {
      return [...(quickLinks(bytes) ?? dagPb.decode(bytes).Links.map((link) => link.Hash))]
    }
    const found: CID[] = []
    if (cid.code === DAG_CBOR_CODEC) collect(dagCbor.decode(bytes), found)
    return found
  } catch (cause) {
    // Deep nesting ends here too, as a RangeError of the decoder's stack.
    throw new ContentError('ERR_DAG_MALFORMED', `block ${cid.toString()}: ${errorMessage(cause)}`, { cause })
  }
}
