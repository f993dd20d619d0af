import { createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Ed25519PublicKey, PeerId } from '@libp2p/interface'
import type { Message } from '@libp2p/gossipsub'
import { RPC } from '@libp2p/gossipsub/message'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import * as Digest from 'multiformats/hashes/digest'
import { AUTHORS_MAX } from '../constants.ts'

/** The id of a message: who wrote it, and the number that the author gave it. */
export interface MessageId {
  readonly msgId: Uint8Array
  readonly msgIdStr: string
}

/** A message whose signature was found good. */
export interface CheckedMessage {
  readonly messageId: MessageId
  readonly msg: Message
}

/** Checks who wrote messages. */
export interface Authors {
  /**
   * The message with its id when its author signed it, `'forged'` when not; `undefined` for what is not of the usual
   * form, such as a key that is not an Ed25519 one, which gossipsub is to check itself.
   */
  check(message: RPC.Message): CheckedMessage | 'forged' | undefined
}

/** How a PeerId begins that has an Ed25519 key in itself: an identity multihash of 36 bytes, a protobuf of 32. */
const ID_PREFIX = Buffer.from('002408011220', 'hex')
const ID_BYTES = ID_PREFIX.length + 32
/** What of a PeerId stands before the protobuf of its key. */
const MULTIHASH_PREFIX_BYTES = 2
const SEQUENCE_BYTES = 8
const SIGNATURE_BYTES = 64
/** What stands before an Ed25519 key as a public key of X.509 (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
/** What stands before a message when it is signed (libp2p's pubsub specification). */
const SIGNED_PREFIX = Buffer.from('libp2p-pubsub:')

interface Author {
  readonly peerId: PeerId
  readonly publicKey: Ed25519PublicKey
  readonly key: KeyObject
}

/** The id of a message as every gossipsub with signatures has it: the author's key and the sequence number. */
export function messageIdOf(from: Uint8Array, seqno: Uint8Array): Uint8Array {
  return Buffer.concat([from.subarray(MULTIHASH_PREFIX_BYTES), seqno])
}

/** A message's id as text: what gossipsub keeps its tables by. */
export function messageIdText(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1')
}

/** Whether a PeerId as it is in a message has the Ed25519 key in itself, as all of ours do. */
export function hasOwnKey(from: Uint8Array): boolean {
  return from.length === ID_BYTES && ID_PREFIX.every((byte, index) => from[index] === byte)
}

/** Makes each author's key ready once: that takes as long as checking a signature does. */
export function createAuthors(): Authors {
  const authors = new Map<string, Author>()
  const authorOf = (from: Uint8Array): Author => {
    const text = messageIdText(from)
    const author = authors.get(text) ?? readAuthor(from)
    authors.delete(text)
    authors.set(text, author)
    const [oldest] = authors.keys()
    if (authors.size > AUTHORS_MAX && oldest !== undefined) authors.delete(oldest)
    return author
  }
  return {
    check: (message) => {
      const { from, seqno, signature, key, topic, data } = message
      if (from === undefined || !hasOwnKey(from)) return undefined
      if (seqno?.length !== SEQUENCE_BYTES || signature?.length !== SIGNATURE_BYTES) return undefined
      if (key !== undefined && Buffer.compare(key, from.subarray(MULTIHASH_PREFIX_BYTES)) !== 0)
        return undefined
      const author = authorOf(from)
      const unsigned = { from, seqno, topic, ...(data === undefined ? {} : { data }) }
      const signed = Buffer.concat([SIGNED_PREFIX, RPC.Message.encode(unsigned)])
      if (!verify(null, signed, author.key, signature)) return 'forged'
      const msgId = messageIdOf(from, seqno)
      const sequenceNumber = Buffer.from(seqno.buffer, seqno.byteOffset, seqno.length).readBigUInt64BE()
      return {
        messageId: { msgId, msgIdStr: messageIdText(msgId) },
        msg: {
          type: 'signed',
          from: author.peerId,
          data: data ?? new Uint8Array(),
          sequenceNumber,
          topic,
          signature,
          key: author.publicKey
        }
      }
    }
  }
}

function readAuthor(from: Uint8Array): Author {
  // a copy, for what comes over a stream is a view of a larger buffer
  const peerId = peerIdFromMultihash(Digest.decode(Uint8Array.from(from)))
  if (peerId.type !== 'Ed25519') throw new TypeError('expected an Ed25519 PeerId')
  const { publicKey } = peerId
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, publicKey.raw]),
    format: 'der',
    type: 'spki'
  })
  return { peerId, publicKey, key }
}
