import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '#contracts'
import type { RoomStore, RoomStoreChange } from '../store.ts'
import { STORE_PREFIX } from './constants.ts'

const CIPHER = 'chacha20-poly1305'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A store whose values are encrypted, each under its key's name, so that none can stand in for another. */
export interface Vault {
  /** The change that puts `value` under `key`, or takes the key away. */
  change(key: string, value: Uint8Array | undefined): RoomStoreChange
  write(changes: readonly RoomStoreChange[]): Promise<void>
  /** What is under a prefix, in the order of the keys; what cannot be decrypted is left out. */
  entries(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
}

/** Puts a vault on `store`. `key` has 32 bytes, of a secret that only this device has. */
export function createVault(store: RoomStore, key: Uint8Array, random: Random): Vault {
  const seal = (name: string, value: Uint8Array): Uint8Array => {
    const nonce = random.bytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(name), { plaintextLength: value.length })
    return Uint8Array.from(Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]))
  }
  return {
    change: (key_, value) => {
      const name = STORE_PREFIX + key_
      return value === undefined ? { key: name } : { key: name, value: seal(name, value) }
    },
    write: async (changes) => {
      if (changes.length > 0) await store.write(changes)
    },
    entries: async function* (prefix) {
      for await (const [name, sealed] of store.entries(STORE_PREFIX + prefix)) {
        const value = open(key, name, sealed)
        if (value !== undefined) yield [name.slice(STORE_PREFIX.length), value] as const
      }
    }
  }
}

function open(key: Uint8Array, name: string, sealed: Uint8Array): Uint8Array | undefined {
  const end = sealed.length - TAG_BYTES
  if (end < NONCE_BYTES) return undefined
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  try {
    decipher.setAAD(Buffer.from(name), { plaintextLength: end - NONCE_BYTES })
    decipher.setAuthTag(sealed.subarray(end))
    return Uint8Array.from(
      Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()])
    )
  } catch {
    return undefined
  }
}
