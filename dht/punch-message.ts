import { varint } from 'multiformats'
import { PUNCH_ADDRESSES_MAX, PUNCH_MESSAGE_BYTES_MAX } from './constants.ts'

/** One message of DCUtR: `connect` says where its sender is seen from outside, `sync` that both dial now. */
export interface PunchMessage {
  readonly type: 'connect' | 'sync'
  /** Multiaddrs in their binary form, not looked into. */
  readonly addresses: readonly Uint8Array[]
}

const TYPE_KEY = 0x08
const ADDRESS_KEY = 0x12
const TYPES = { connect: 100, sync: 300 } as const

/** Encodes a message of DCUtR (protobuf, libp2p's specification of it). */
export function encodePunchMessage({ type, addresses }: PunchMessage): Uint8Array {
  const parts = [Uint8Array.of(TYPE_KEY), encodeNumber(TYPES[type])]
  for (const address of addresses)
    parts.push(Uint8Array.of(ADDRESS_KEY), encodeNumber(address.length), address)
  return Buffer.concat(parts)
}

/**
 * Decodes a message of DCUtR. Of many addresses the first few count.
 *
 * @throws RangeError when it is none
 */
export function decodePunchMessage(bytes: Uint8Array): PunchMessage {
  if (bytes.length > PUNCH_MESSAGE_BYTES_MAX) throw new RangeError('expected a shorter message')
  const addresses: Uint8Array[] = []
  let type: PunchMessage['type'] | undefined
  let offset = 0
  while (offset < bytes.length) {
    const key = bytes[offset]
    const [value, length] = varint.decode(bytes, offset + 1)
    offset += 1 + length
    if (key === TYPE_KEY) {
      type = value === TYPES.connect ? 'connect' : value === TYPES.sync ? 'sync' : undefined
    } else if (key === ADDRESS_KEY) {
      if (offset + value > bytes.length) throw new RangeError('expected a whole address')
      addresses.push(bytes.subarray(offset, offset + value))
      offset += value
    } else {
      throw new RangeError(`expected a type or an address, got field key ${String(key)}`)
    }
  }
  if (type === undefined) throw new RangeError('expected connect or sync')
  return { type, addresses: addresses.slice(0, PUNCH_ADDRESSES_MAX) }
}

function encodeNumber(value: number): Uint8Array {
  return varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))
}
