import { hkdfSync } from 'node:crypto'
import { keyPairFromSeed, type KeyPair, type Signer } from '#did'
import { AUDIENCE_KEY_SALT, AUDIENCES_MAX } from './constants.ts'

const SEED_BYTES = 32

/**
 * The keys that tokens of lineages are for: HKDF-SHA-256 (RFC 5869) of the device's seed, so that the same lineage has the same key
 * after a restart and another one on every device. They are used here and never leave.
 */
export function createAudiences(device: KeyPair): (lineage: string) => Signer {
  const known = new Map<string, Signer>()
  return (lineage) => {
    const found = known.get(lineage)
    if (found !== undefined) return found
    const seed = device.seed
    const derived = new Uint8Array(hkdfSync('sha256', seed, AUDIENCE_KEY_SALT, lineage, SEED_BYTES))
    const signer = keyPairFromSeed(derived)
    seed.fill(0)
    derived.fill(0)
    known.set(lineage, signer)
    for (const oldest of known.size > AUDIENCES_MAX ? known.keys().take(1) : []) known.delete(oldest)
    return signer
  }
}
