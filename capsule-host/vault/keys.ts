import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { LINEAGE_LENGTH_MAX } from './constants.ts'
import { FileError } from '../files/errors.ts'

const KEY_BYTES = 32
const NAME_CHARACTERS = 40

/** The secret of one vault, from which the keys of its lineages are derived. */
export interface VaultKey {
  /** What the lineage's file is called on the disk: says nothing of it to who lacks the key. */
  fileName(lineage: string): string
  /** The key of the lineage's file that begins with `salt`. */
  volumeKey(lineage: string, salt: Uint8Array): KeyObject
}

/**
 * Derives a vault's keys (HKDF with SHA-256, RFC 5869) from a secret of the device.
 *
 * @param secret - 32 bytes that never leave the device, such as its seed
 */
export function createVaultKey(secret: Uint8Array): VaultKey {
  if (secret.byteLength !== KEY_BYTES) {
    throw new FileError('ERR_FILE_INVALID', `expected a key of ${KEY_BYTES} bytes, got ${secret.byteLength}`)
  }
  const vault = derive(secret, new Uint8Array(0), 'elastos/vault/1')
  return {
    fileName: (lineage) => {
      const mac = createHmac('sha256', derive(vault, new Uint8Array(0), 'names'))
      return mac.update(checkLineage(lineage)).digest('hex').slice(0, NAME_CHARACTERS)
    },
    volumeKey: (lineage, salt) => createSecretKey(derive(vault, salt, `lineage\0${checkLineage(lineage)}`))
  }
}

function checkLineage(lineage: string): string {
  if (lineage === '' || lineage.length > LINEAGE_LENGTH_MAX || !lineage.isWellFormed()) {
    throw new FileError('ERR_FILE_INVALID', `expected a lineage of 1 to ${LINEAGE_LENGTH_MAX} characters`)
  }
  return lineage
}

function derive(secret: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, KEY_BYTES))
}
