import { BLOCK_BYTES_MAX } from '../constants.ts'
import {
  BITSWAP_100,
  BITSWAP_120,
  CID_BYTES_MAX,
  MESSAGE_BLOCKS_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_PRESENCES_MAX,
  MESSAGE_WANTS_MAX,
  PREFIX_BYTES_MAX
} from './constants.ts'
import { int32Length, malformed, ProtobufReader, ProtobufWriter, varintLength, WIRE } from './protobuf.ts'

/** One entry of a wantlist. */
export interface WantEntry {
  /** The CID as bytes. */
  readonly cid: Uint8Array
  /** Higher is answered first; an int32. */
  readonly priority: number
  /** True withdraws an earlier entry of the same CID. */
  readonly cancel: boolean
  /** `have` only asks whether the block is there. */
  readonly type: 'block' | 'have'
  /** True asks to be told when the block is not there. */
  readonly sendDontHave: boolean
}

/** One block on its way. */
export interface BlockEntry {
  /** CID version, codec, hash code and digest length as varints; `undefined` in bitswap 1.0.0. */
  readonly prefix: Uint8Array | undefined
  readonly data: Uint8Array
}

/** Whether the sender has a block. */
export interface PresenceEntry {
  /** The CID as bytes. */
  readonly cid: Uint8Array
  readonly has: boolean
}

/** One bitswap message. */
export interface BitswapMessage {
  readonly wants: readonly WantEntry[]
  /** True when `wants` replaces whatever the sender wanted before. */
  readonly full: boolean
  readonly blocks: readonly BlockEntry[]
  readonly presences: readonly PresenceEntry[]
  /** Bytes of blocks the sender still has for us; informative. */
  readonly pendingBytes: number
}

const FIELD = { wantlist: 1, rawBlocks: 2, payload: 3, presences: 4, pendingBytes: 5 } as const

/**
 * The length prefix and the message as parts to be sent one after the other. Block data is not copied: the parts
 * alias it, so it must not change until it is sent.
 *
 * @param protocol - which dialect the other side speaks: 1.1.0 knows no presences and no WANT-HAVE, 1.0.0 no prefixes
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the message or a block is larger than agreed
 */
export function encodeMessage(message: BitswapMessage, protocol: string = BITSWAP_120): Uint8Array[] {
  const modern = protocol === BITSWAP_120
  const presences = modern ? message.presences : []
  const parts: Uint8Array[] = []
  parts.push(encodeControl(message, presences, modern))
  for (const block of message.blocks) {
    parts.push(encodeBlockHeader(block, protocol), block.data)
  }
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0)
  if (length > MESSAGE_BYTES_MAX) throw malformed(`at most ${MESSAGE_BYTES_MAX} bytes`, `${length}`)
  const prefix = new ProtobufWriter(varintLength(length))
  prefix.varint(length)
  return [prefix.bytes, ...parts]
}

/** Bytes that `entry` takes in a message at most. */
export function wantEntryLength(entry: WantEntry, modern = true): number {
  const content = wantContentLength(entry, modern)
  return 1 + varintLength(content) + content
}

/** Bytes that a presence takes in a message. */
export function presenceLength(entry: PresenceEntry): number {
  const content = presenceContentLength(entry)
  return 1 + varintLength(content) + content
}

function wantContentLength(entry: WantEntry, modern: boolean): number {
  let length = 1 + varintLength(entry.cid.byteLength) + entry.cid.byteLength
  if (entry.priority !== 0) length += 1 + int32Length(entry.priority)
  if (entry.cancel) length += 2
  if (modern && entry.type === 'have') length += 2
  if (modern && entry.sendDontHave) length += 2
  return length
}

function presenceContentLength(entry: PresenceEntry): number {
  return 1 + varintLength(entry.cid.byteLength) + entry.cid.byteLength + (entry.has ? 0 : 2)
}

function encodeControl(
  message: BitswapMessage,
  presences: readonly PresenceEntry[],
  modern: boolean
): Uint8Array {
  const wantlist = message.wants.reduce(
    (sum, entry) => sum + wantEntryLength(entry, modern),
    message.full ? 2 : 0
  )
  let size = presences.reduce((sum, entry) => sum + presenceLength(entry), 0)
  if (wantlist > 0) size += 1 + varintLength(wantlist) + wantlist
  if (modern && message.pendingBytes > 0) size += 1 + varintLength(message.pendingBytes)
  const writer = new ProtobufWriter(size)
  if (wantlist > 0) {
    writer.key(FIELD.wantlist, WIRE.bytes)
    writer.varint(wantlist)
    for (const entry of message.wants) writeWant(writer, entry, modern)
    if (message.full) writeFlag(writer, 2)
  }
  for (const entry of presences) writePresence(writer, entry)
  if (modern && message.pendingBytes > 0) {
    writer.key(FIELD.pendingBytes, WIRE.varint)
    writer.varint(message.pendingBytes)
  }
  return writer.bytes
}

function writeWant(writer: ProtobufWriter, entry: WantEntry, modern: boolean): void {
  writer.key(1, WIRE.bytes)
  writer.varint(wantContentLength(entry, modern))
  writeBytes(writer, 1, entry.cid)
  if (entry.priority !== 0) {
    writer.key(2, WIRE.varint)
    writer.int32(entry.priority)
  }
  if (entry.cancel) writeFlag(writer, 3)
  if (modern && entry.type === 'have') writeFlag(writer, 4)
  if (modern && entry.sendDontHave) writeFlag(writer, 5)
}

function writePresence(writer: ProtobufWriter, entry: PresenceEntry): void {
  writer.key(FIELD.presences, WIRE.bytes)
  writer.varint(presenceContentLength(entry))
  writeBytes(writer, 1, entry.cid)
  if (!entry.has) writeFlag(writer, 2)
}

function writeFlag(writer: ProtobufWriter, field: number): void {
  writer.key(field, WIRE.varint)
  writer.varint(1)
}

function writeBytes(writer: ProtobufWriter, field: number, bytes: Uint8Array): void {
  writer.key(field, WIRE.bytes)
  writer.varint(bytes.byteLength)
  writer.raw(bytes)
}

function encodeBlockHeader(block: BlockEntry, protocol: string): Uint8Array {
  const data = block.data.byteLength
  if (data > BLOCK_BYTES_MAX) throw malformed(`a block of at most ${BLOCK_BYTES_MAX} bytes`, `${data}`)
  if (protocol === BITSWAP_100 || block.prefix === undefined) {
    const writer = new ProtobufWriter(1 + varintLength(data))
    writer.key(FIELD.rawBlocks, WIRE.bytes)
    writer.varint(data)
    return writer.bytes
  }
  const prefix = block.prefix.byteLength
  const head = 1 + varintLength(prefix) + prefix + 1 + varintLength(data)
  const writer = new ProtobufWriter(1 + varintLength(head + data) + head)
  writer.key(FIELD.payload, WIRE.bytes)
  writer.varint(head + data)
  writeBytes(writer, 1, block.prefix)
  writer.key(2, WIRE.bytes)
  writer.varint(data)
  return writer.bytes
}

/**
 * Reads one message, without its length prefix, from chunks as they came. Unknown fields are walked over, as
 * protobuf asks; known fields must have their type; entries beyond the `MESSAGE_*_MAX` bounds are walked over too.
 *
 * @throws ContentError `ERR_BITSWAP_MESSAGE` when the bytes are no such message
 */
export function decodeMessage(chunks: readonly Uint8Array[]): BitswapMessage {
  const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  if (length > MESSAGE_BYTES_MAX) throw malformed(`at most ${MESSAGE_BYTES_MAX} bytes`, `${length}`)
  const reader = new ProtobufReader(chunks, length)
  const wants: WantEntry[] = []
  const blocks: BlockEntry[] = []
  const presences: PresenceEntry[] = []
  let full = false
  let pendingBytes = 0
  reader.fields((field, wire) => {
    if (field === FIELD.wantlist) {
      expectWire(wire, WIRE.bytes)
      reader.nested((inner, innerWire) => {
        if (inner === 1) readWant(reader, innerWire, wants)
        else if (inner === 2) full = readFlag(reader, innerWire)
        else reader.skip(innerWire)
      })
    } else if (field === FIELD.rawBlocks || field === FIELD.payload) {
      expectWire(wire, WIRE.bytes)
      if (blocks.length >= MESSAGE_BLOCKS_MAX) reader.skip(wire)
      else if (field === FIELD.payload) blocks.push(readBlock(reader))
      else blocks.push({ prefix: undefined, data: reader.bytes(BLOCK_BYTES_MAX) })
    } else if (field === FIELD.presences) {
      readPresence(reader, wire, presences)
    } else if (field === FIELD.pendingBytes) {
      expectWire(wire, WIRE.varint)
      pendingBytes = Math.max(0, reader.int32())
    } else {
      reader.skip(wire)
    }
  })
  return { wants, full, blocks, presences, pendingBytes }
}

function readWant(reader: ProtobufReader, wire: number, wants: WantEntry[]): void {
  expectWire(wire, WIRE.bytes)
  if (wants.length >= MESSAGE_WANTS_MAX) {
    reader.skip(wire)
    return
  }
  let cid: Uint8Array | undefined
  let priority = 0
  let cancel = false
  let type: WantEntry['type'] = 'block'
  let sendDontHave = false
  reader.nested((field, inner) => {
    if (field === 1) cid = readBytes(reader, inner, CID_BYTES_MAX)
    else if (field === 2) {
      expectWire(inner, WIRE.varint)
      priority = reader.int32()
    } else if (field === 3) cancel = readFlag(reader, inner)
    else if (field === 4) type = readFlag(reader, inner) ? 'have' : 'block'
    else if (field === 5) sendDontHave = readFlag(reader, inner)
    else reader.skip(inner)
  })
  if (cid === undefined) throw malformed('a CID in a wantlist entry', 'none')
  wants.push({ cid, priority, cancel, type, sendDontHave })
}

function readBlock(reader: ProtobufReader): BlockEntry {
  let prefix: Uint8Array | undefined
  let data: Uint8Array = new Uint8Array(0)
  reader.nested((field, wire) => {
    if (field === 1) prefix = readBytes(reader, wire, PREFIX_BYTES_MAX)
    else if (field === 2) data = readBytes(reader, wire, BLOCK_BYTES_MAX)
    else reader.skip(wire)
  })
  if (prefix === undefined) throw malformed('a prefix with a block', 'none')
  return { prefix, data }
}

function readPresence(reader: ProtobufReader, wire: number, presences: PresenceEntry[]): void {
  expectWire(wire, WIRE.bytes)
  if (presences.length >= MESSAGE_PRESENCES_MAX) {
    reader.skip(wire)
    return
  }
  let cid: Uint8Array | undefined
  let has = true
  reader.nested((field, inner) => {
    if (field === 1) cid = readBytes(reader, inner, CID_BYTES_MAX)
    else if (field === 2) has = !readFlag(reader, inner)
    else reader.skip(inner)
  })
  if (cid === undefined) throw malformed('a CID in a presence', 'none')
  presences.push({ cid, has })
}

function readBytes(reader: ProtobufReader, wire: number, bytesMax: number): Uint8Array {
  expectWire(wire, WIRE.bytes)
  return reader.bytes(bytesMax)
}

function readFlag(reader: ProtobufReader, wire: number): boolean {
  expectWire(wire, WIRE.varint)
  return reader.flag()
}

function expectWire(wire: number, expected: number): void {
  if (wire !== expected) throw malformed(`wire type ${expected}`, `${wire}`)
}
