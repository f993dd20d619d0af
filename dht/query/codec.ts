import { DhtError } from '../errors.ts'
import { ADDRESSES_PER_PEER_MAX, PEER_ID_BYTES_MAX, PEERS_PER_MESSAGE_MAX } from './constants.ts'
import { KAD_MESSAGE } from './messages.ts'
import type { KadMessage, KadMessageType, WirePeer } from './messages.ts'

/**
 * The messages of libp2p's Kademlia DHT (`kad-dht` specification, protobuf 3), written by hand: the generated codec took
 * more time than everything else that a peer does to answer. Fields nobody uses (cluster level, connection) are skipped.
 */

/** Tags: the number of the field and how its value is written. */
const TAG = {
  type: 0x08,
  key: 0x12,
  record: 0x1a,
  closer: 0x42,
  provider: 0x4a,
  id: 0x0a,
  address: 0x12
} as const
/** How protobuf says what kind of value follows. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** How many bytes a varint may have: 64 bits. */
const VARINT_BYTES_MAX = 10

/** How many bytes the length of a message may have. */
export const LENGTH_BYTES_MAX = 4

/** A peer as it is inside a message, without its tag and length. */
export function encodePeer({ id, multiaddrs }: Pick<WirePeer, 'id' | 'multiaddrs'>): Uint8Array {
  let size = fieldSize(id)
  for (const address of multiaddrs) size += fieldSize(address)
  const writer = new Writer(size)
  writer.field(TAG.id, id)
  for (const address of multiaddrs) writer.field(TAG.address, address)
  return writer.bytes
}

/** A message with its length before it, ready to be sent. */
export function encodeMessage(message: KadMessage): Uint8Array {
  const { type, key, record } = message
  const closer = (message.closer ?? []).map(encodedPeer)
  const providers = (message.providers ?? []).map(encodedPeer)
  let size = type === KAD_MESSAGE.putValue ? 0 : 2
  if (key !== undefined) size += fieldSize(key)
  if (record !== undefined) size += fieldSize(record)
  for (const peer of closer) size += fieldSize(peer)
  for (const peer of providers) size += fieldSize(peer)
  const writer = new Writer(varintSize(size) + size)
  writer.varint(size)
  // what is zero is left out, as protobuf 3 says
  if (type !== KAD_MESSAGE.putValue) {
    writer.varint(TAG.type)
    writer.varint(type)
  }
  if (key !== undefined) writer.field(TAG.key, key)
  if (record !== undefined) writer.field(TAG.record, record)
  for (const peer of closer) writer.field(TAG.closer, peer)
  for (const peer of providers) writer.field(TAG.provider, peer)
  return writer.bytes
}

/** Who knows peers as messages name them: what was read before, and taught nothing new, is not read again. */
export interface KnownEntries {
  /** The peer that is named from `start` to `end` of a message. */
  recall(message: Uint8Array, start: number, end: number): WirePeer | undefined
}

/**
 * Reads a message, without its length. What it returns are views of `bytes`, and peers of `known`.
 *
 * @throws {@link DhtError} `ERR_REQUEST_FAILED` for bytes that are no such message
 */
export function decodeMessage(bytes: Uint8Array, known?: KnownEntries): KadMessage {
  const reader = new Reader(bytes)
  let type: number = KAD_MESSAGE.putValue
  let key: Uint8Array | undefined
  let record: Uint8Array | undefined
  const closer: WirePeer[] = []
  const providers: WirePeer[] = []
  while (!reader.isDone()) {
    const tag = reader.varint()
    if (tag === TAG.type) type = reader.varint()
    else if (tag === TAG.key) key = reader.bytes()
    else if (tag === TAG.record) record = reader.bytes()
    else if (tag === TAG.closer) readPeer(reader, closer, known)
    else if (tag === TAG.provider) readPeer(reader, providers, known)
    else reader.skip(tag & 7)
  }
  if (type > KAD_MESSAGE.ping) throw malformed(`a type up to ${KAD_MESSAGE.ping}`, String(type))
  return { type: type as KadMessageType, key, record, closer, providers }
}

function encodedPeer(peer: WirePeer): Uint8Array {
  return peer.encoded ?? encodePeer(peer)
}

/** Where the id begins in what names a peer, when it comes first and is short, as everybody writes it. */
export const ENTRY_ID_START = 2

/** Where it ends; `undefined` when it is not there. */
export function idEndOf(message: Uint8Array, start: number, end: number): number | undefined {
  const idEnd = start + ENTRY_ID_START + (message[start + 1] ?? 0)
  return message[start] === TAG.id && idEnd <= end && idEnd <= start + ENTRY_ID_START + PEER_ID_BYTES_MAX
    ? idEnd
    : undefined
}

function readPeer(message: Reader, peers: WirePeer[], known: KnownEntries | undefined): void {
  const { start, end } = message.range()
  if (peers.length >= PEERS_PER_MESSAGE_MAX) return
  const one = known?.recall(message.all, start, end)
  if (one !== undefined) {
    peers.push(one)
    return
  }
  const read = message.all.subarray(start, end)
  const reader = new Reader(read)
  let id: Uint8Array | undefined
  const multiaddrs: Uint8Array[] = []
  while (!reader.isDone()) {
    const tag = reader.varint()
    if (tag === TAG.id) id = reader.bytes()
    else if (tag === TAG.address) {
      const address = reader.bytes()
      if (multiaddrs.length < ADDRESSES_PER_PEER_MAX) multiaddrs.push(address)
    } else reader.skip(tag & 7)
  }
  if (id === undefined || id.length === 0 || id.length > PEER_ID_BYTES_MAX) return
  peers.push({ id, multiaddrs, read })
}

class Writer {
  readonly bytes: Uint8Array
  #offset = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size)
  }

  varint(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.bytes[this.#offset++] = (rest & 0x7f) | 0x80
    this.bytes[this.#offset++] = rest
  }

  field(tag: number, value: Uint8Array): void {
    this.bytes[this.#offset++] = tag
    this.varint(value.length)
    this.bytes.set(value, this.#offset)
    this.#offset += value.length
  }
}

class Reader {
  readonly all: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.all = bytes
  }

  isDone(): boolean {
    return this.#offset >= this.all.length
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.all[this.#offset++]
      if (byte === undefined) throw malformed('a whole number', 'its beginning')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
    throw malformed('a number of 64 bits', 'a longer one')
  }

  bytes(): Uint8Array {
    const { start, end } = this.range()
    return this.all.subarray(start, end)
  }

  /** Where the next bytes are. */
  range(): { readonly start: number; readonly end: number } {
    const length = this.varint()
    const start = this.#offset
    if (length > this.all.length - start) throw malformed(`${length} bytes`, 'less')
    this.#offset = start + length
    return { start, end: this.#offset }
  }

  skip(wire: number): void {
    if (wire === WIRE.varint) this.varint()
    else if (wire === WIRE.bytes) this.bytes()
    else if (wire === WIRE.fixed64) this.#offset += 8
    else if (wire === WIRE.fixed32) this.#offset += 4
    else throw malformed('a known kind of field', String(wire))
    if (this.#offset > this.all.length) throw malformed('a whole field', 'its beginning')
  }
}

function malformed(expected: string, got: string): DhtError {
  return new DhtError('ERR_REQUEST_FAILED', `expected a message of the DHT with ${expected}, got ${got}`)
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size += 1
  return size
}

function fieldSize(value: Uint8Array): number {
  return 1 + varintSize(value.length) + value.length
}
