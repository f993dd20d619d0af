import type { AbortOptions } from '@libp2p/interface'
import type { Datastore, Key } from 'interface-datastore'
import { varint } from 'multiformats'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { PEERS_PREFIX } from './peer-cache.ts'

/** The fields of libp2p's stored peers that matter here (its `peer.proto`). */
const PEER_ADDRESSES_FIELD = 1
const ADDRESS_OBSERVED_FIELD = 3

/** How protobuf says what kind of value follows. */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** What the datastore of a peer store works with. */
export interface PeerDatastoreComponents {
  readonly clock: Pick<Clock, 'nowMs'>
  readonly logger: Logger
}

/**
 * The datastore as libp2p gets it: whenever something is written down about a peer, its addresses count as seen then.
 *
 * libp2p's peer store keeps the time an address was *first* seen, whoever names it later, and hides it for good once that
 * is `maxAddressAge` ago, even from who names it anew. A peer that stays at one address would become unreachable by id,
 * and its provider records useless, for as long as it lives. Addresses of a peer of which nothing is heard still age,
 * and those it gave up go when it next says who it is.
 *
 * A peer that cannot be written down (the disk is full) is told in the log and nothing else: libp2p would take it for a
 * failed connection, and for a reason not to stop.
 */
export function renewAddresses(inner: Datastore, { clock, logger }: PeerDatastoreComponents): Datastore {
  let isFailing = false
  const put = async (key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> => {
    if (!key.toString().startsWith(PEERS_PREFIX)) return await inner.put(key, value, options)
    try {
      await inner.put(key, renewObserved(value, clock.nowMs()), options)
      isFailing = false
    } catch (error) {
      if (!isFailing) logger.warn('peers cannot be written down', { error: errorMessage(error) })
      isFailing = true
    }
    return key
  }
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'put') return put
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    }
  })
}

/** A stored peer whose addresses were all observed at `observedMs`; bytes that are no peer are left as they are. */
export function renewObserved(peer: Uint8Array, observedMs: number): Uint8Array {
  try {
    const parts = [...fields(peer)].flatMap(({ field, raw, value }) => {
      if (field !== PEER_ADDRESSES_FIELD || value === undefined) return [raw]
      const address = observedAt(value, observedMs)
      return [encodeVarint((PEER_ADDRESSES_FIELD << 3) | WIRE.bytes), encodeVarint(address.length), address]
    })
    return Buffer.concat(parts)
  } catch {
    return peer
  }
}

function observedAt(address: Uint8Array, observedMs: number): Uint8Array {
  const kept = [...fields(address)]
    .filter(({ field }) => field !== ADDRESS_OBSERVED_FIELD)
    .map(({ raw }) => raw)
  return Buffer.concat([...kept, encodeVarint(ADDRESS_OBSERVED_FIELD << 3), encodeVarint(observedMs)])
}

interface Field {
  readonly field: number
  /** The whole field as it stands. */
  readonly raw: Uint8Array
  /** What is in it when it is a string, bytes or a message. */
  readonly value: Uint8Array | undefined
}

function* fields(message: Uint8Array): Generator<Field> {
  let offset = 0
  while (offset < message.length) {
    const start = offset
    const [tag, tagLength] = varint.decode(message, offset)
    offset += tagLength
    const wire = tag & 7
    let value: Uint8Array | undefined
    if (wire === WIRE.bytes) {
      const [length, lengthLength] = varint.decode(message, offset)
      offset += lengthLength
      value = message.subarray(offset, offset + length)
      offset += length
    } else {
      offset += scalarLength(message, offset, wire)
    }
    if (offset > message.length) throw new RangeError('field is cut short')
    yield { field: tag >>> 3, raw: message.subarray(start, offset), value }
  }
}

function scalarLength(message: Uint8Array, offset: number, wire: number): number {
  if (wire === WIRE.fixed64) return 8
  if (wire === WIRE.fixed32) return 4
  if (wire !== WIRE.varint) throw new RangeError(`wire type ${wire} is unknown`)
  let length = 1
  while (((message[offset + length - 1] ?? 0) & 0x80) !== 0) length += 1
  return length
}

function encodeVarint(value: number): Uint8Array {
  return varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))
}
