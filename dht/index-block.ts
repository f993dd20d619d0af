import { createHash } from 'node:crypto'
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import * as z from 'zod'
import { errorCode } from '#contracts'
import { openEnvelope, sealEnvelope } from '#did'
import type { Did, Signer } from '#did'
import { DhtError } from './errors.ts'
import {
  INDEX_BYTES_MAX,
  INDEX_DOMAIN,
  INDEX_ENTRIES_MAX,
  INDEX_KIND_CHARS_MAX,
  INDEX_KINDS_MAX,
  INDEX_NAME_CHARS_MAX,
  INDEX_TYPE
} from './index-constants.ts'

/** The latest version of one thing a publisher publishes. */
export interface IndexHead {
  /** What it is now. */
  readonly cid: CID
  /** Grows with every change of `cid`, from 1. */
  readonly sequence: number
  /** When the publisher changed it, milliseconds since the epoch, by the publisher's clock. */
  readonly updatedAtMs: number
}

/** Which entry of an index. */
export interface IndexEntryName {
  /** What it is: `capsule`, `share`, `release`, or another lower-case word. */
  readonly kind: string
  /** What the publisher calls it: lower-case letters, digits and `.`, `_`, `-` inside. */
  readonly name: string
}

/** Everything a publisher publishes: kind → name → head. */
export type IndexContent = Readonly<Record<string, Readonly<Record<string, IndexHead>>>>

/** A block and its CID. */
export interface IndexBlock {
  readonly cid: CID
  readonly bytes: Uint8Array
}

const KIND = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/
const NAME = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/

const kind = z.string().max(INDEX_KIND_CHARS_MAX).regex(KIND)
const name = z.string().max(INDEX_NAME_CHARS_MAX).regex(NAME)
const wholeNumber = z.int().min(0)
const head = z.strictObject({
  cid: z.custom<CID>((value) => CID.asCID(value) !== null),
  sequence: wholeNumber.min(1),
  updatedAtMs: wholeNumber
})
const payload = z.strictObject({ entries: z.record(kind, z.record(name, head)), updatedAtMs: wholeNumber })

/**
 * Checks how an entry is called.
 *
 * @throws DhtError `ERR_INDEX_ENTRY_INVALID`
 */
export function checkEntryName(entry: IndexEntryName): void {
  if (!kind.safeParse(entry.kind).success) {
    const shown = JSON.stringify(entry.kind.slice(0, INDEX_KIND_CHARS_MAX))
    throw new DhtError('ERR_INDEX_ENTRY_INVALID', `expected a kind such as capsule, got ${shown}`)
  }
  if (!name.safeParse(entry.name).success) {
    const shown = JSON.stringify(entry.name.slice(0, INDEX_NAME_CHARS_MAX))
    const message = `expected a name of lower-case letters, digits, ".", "_" and "-", at most ${INDEX_NAME_CHARS_MAX}, got ${shown}`
    throw new DhtError('ERR_INDEX_ENTRY_INVALID', message)
  }
}

/** The head of an entry, `undefined` when the index has none. */
export function headOf(content: IndexContent, { kind, name }: IndexEntryName): IndexHead | undefined {
  const ofKind = Object.hasOwn(content, kind) ? content[kind] : undefined
  return ofKind !== undefined && Object.hasOwn(ofKind, name) ? ofKind[name] : undefined
}

/** The content with one head set; the original stays as it is. */
export function withHead(content: IndexContent, entry: IndexEntryName, head: IndexHead): IndexContent {
  checkEntryName(entry)
  return { ...content, [entry.kind]: { ...content[entry.kind], [entry.name]: head } }
}

/**
 * Signs an index as a DAG-CBOR block. The same input gives the same bytes.
 *
 * @throws DhtError `ERR_INDEX_TOO_LARGE`, or `ERR_INDEX_INVALID` for content that no reader would accept
 * @see docs/protocols/publisher-index.md
 */
export function sealIndex(
  signer: Signer,
  o: { readonly content: IndexContent; readonly updatedAtMs: number }
): IndexBlock {
  const value = { entries: o.content, updatedAtMs: o.updatedAtMs }
  checkSize(o.content)
  if (!payload.safeParse(value).success) throw invalid('expected entries with names, CIDs and sequences')
  let bytes: Uint8Array
  try {
    bytes = sealEnvelope(signer, { domain: INDEX_DOMAIN, type: INDEX_TYPE, payload: value })
  } catch (cause) {
    if (errorCode(cause) === 'ERR_ENVELOPE_PAYLOAD') throw tooLarge('more bytes', cause)
    throw cause
  }
  if (bytes.length > INDEX_BYTES_MAX) throw tooLarge(`${bytes.length} bytes`)
  return { cid: cidOfBlock(bytes), bytes }
}

/**
 * Verifies the block of a publisher's index.
 *
 * @throws DhtError `ERR_INDEX_TOO_LARGE`, `ERR_INDEX_INVALID` when it is not what its CID says, malformed or has a
 * signature that does not hold, `ERR_INDEX_SIGNER` when somebody other than `publisher` signed it
 */
export function openIndex(publisher: Did, { cid, bytes }: IndexBlock): IndexContent {
  if (bytes.length > INDEX_BYTES_MAX) throw tooLarge(`${bytes.length} bytes`)
  if (cidOfBlock(bytes).toString() !== cid.toString())
    throw invalid(`expected the block ${cid.toString()}, got another`)
  const opened = openBlock(bytes)
  if (opened.signer !== publisher) {
    throw new DhtError(
      'ERR_INDEX_SIGNER',
      `expected an index signed by ${publisher}, got one by ${opened.signer}`
    )
  }
  const parsed = payload.safeParse(opened.payload)
  if (!parsed.success) throw invalid('expected kinds, names and heads in an index', parsed.error)
  checkSize(parsed.data.entries)
  return parsed.data.entries
}

/** The CID of an index's block: CIDv1, DAG-CBOR, SHA-256. */
export function cidOfBlock(bytes: Uint8Array): CID {
  return CID.createV1(dagCbor.code, createDigest(sha256.code, createHash('sha256').update(bytes).digest()))
}

function openBlock(bytes: Uint8Array): ReturnType<typeof openEnvelope> {
  try {
    return openEnvelope(bytes, { domain: INDEX_DOMAIN, type: INDEX_TYPE, bytesMax: INDEX_BYTES_MAX })
  } catch (cause) {
    throw invalid('expected a signed publisher index', cause)
  }
}

function checkSize(content: IndexContent): void {
  const kinds = Object.values(content)
  const entries = kinds.reduce((sum, ofKind) => sum + Object.keys(ofKind).length, 0)
  if (kinds.length > INDEX_KINDS_MAX) throw tooLarge(`${kinds.length} kinds`)
  if (entries > INDEX_ENTRIES_MAX) throw tooLarge(`${entries} entries`)
}

function invalid(message: string, cause?: unknown): DhtError {
  return new DhtError('ERR_INDEX_INVALID', message, { cause })
}

function tooLarge(what: string, cause?: unknown): DhtError {
  const message = `expected an index of at most ${INDEX_ENTRIES_MAX} entries and ${INDEX_BYTES_MAX} bytes, got ${what}`
  return new DhtError('ERR_INDEX_TOO_LARGE', message, { cause })
}
