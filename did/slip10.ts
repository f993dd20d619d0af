import { createHmac } from 'node:crypto'
import { DidError } from './errors.ts'

/** SLIP-0010 §"Master key generation" for curve ed25519. */
const MASTER_KEY = 'ed25519 seed'
/** Indices from here on are hardened, the only kind Ed25519 has. */
const HARDENED = 0x8000_0000

/**
 * The 32-byte secret at a path of hardened indices below a master seed. `[44, 0]` means `m/44'/0'`.
 *
 * @throws DidError `ERR_KEY_INVALID` for a seed outside 16 to 64 bytes or an index outside 0 to 2^31 - 1
 * @see https://github.com/satoshilabs/slips/blob/master/slip-0010.md
 */
export function deriveSecret(masterSeed: Uint8Array, path: readonly number[]): Uint8Array {
  if (masterSeed.length < 16 || masterSeed.length > 64) {
    throw new DidError(
      'ERR_KEY_INVALID',
      `expected a master seed of 16 to 64 bytes, got ${masterSeed.length}`
    )
  }
  let node = createHmac('sha512', MASTER_KEY).update(masterSeed).digest()
  for (const index of path) {
    if (!Number.isInteger(index) || index < 0 || index >= HARDENED) {
      throw new DidError('ERR_KEY_INVALID', `expected a path index from 0 to ${HARDENED - 1}, got ${index}`)
    }
    const data = Buffer.alloc(37)
    node.copy(data, 1, 0, 32)
    data.writeUInt32BE(HARDENED + index, 33)
    node = createHmac('sha512', node.subarray(32)).update(data).digest()
  }
  return Uint8Array.from(node.subarray(0, 32))
}
