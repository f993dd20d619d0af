import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'

/** The CID of a raw block of text: what stands for content in a simulation that moves none. */
export function cidOfText(text: string): CID {
  return CID.createV1(raw.code, Digest.create(0x12, createHash('sha256').update(text).digest()))
}
