import { argon2, createCipheriv, createDecipheriv } from 'node:crypto'
import { promisify } from 'node:util'
import * as z from 'zod'
import type { Random } from '#contracts'
import { ARGON2_DEFAULTS, ARGON2_LIMITS, PASSPHRASE_BYTES_MAX } from './constants.ts'
import { DidError } from './errors.ts'

/**
 * A secret under a passphrase, as it stands in a JSON file: argon2id (RFC 9106) with its parameters, then
 * ChaCha20-Poly1305 (RFC 8439). Bytes are base64.
 */
export interface SealedSecret {
  readonly kdf: 'argon2id'
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
  /** 16 bytes. */
  readonly salt: string
  /** 12 bytes. */
  readonly nonce: string
  /** The ciphertext and its 16-byte tag. */
  readonly box: string
}

/** Cost of argon2id. */
export type Argon2Cost = Pick<SealedSecret, 'memoryKib' | 'passes' | 'parallelism'>

/** Reads a {@link SealedSecret}; the bounds keep a hostile file from costing hours or all memory. */
export const sealedSecretSchema: z.ZodType<SealedSecret> = z.strictObject({
  kdf: z.literal('argon2id'),
  memoryKib: z.int().min(ARGON2_LIMITS.memoryKibMin).max(ARGON2_LIMITS.memoryKibMax),
  passes: z.int().min(1).max(ARGON2_LIMITS.passesMax),
  parallelism: z.int().min(1).max(ARGON2_LIMITS.parallelismMax),
  salt: z.base64().length(24),
  nonce: z.base64().length(16),
  box: z.base64().min(24).max(4096)
})

const deriveKey = promisify(argon2)
const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
const CIPHER_OPTIONS = { authTagLength: TAG_BYTES } as const

/** A passphrase and what the box is for, which is authenticated so that boxes cannot be exchanged. */
export interface BoxKey {
  readonly passphrase: string
  readonly purpose: string
}

/** What {@link sealSecret} works with. */
export interface SealSecretInit extends BoxKey {
  readonly random: Random
  /** {@link ARGON2_DEFAULTS} when absent. */
  readonly cost?: Argon2Cost
}

async function boxKey(passphrase: string, salt: Uint8Array, cost: Argon2Cost): Promise<Uint8Array> {
  // NFKC: the same characters typed on another keyboard are the same passphrase.
  const message = Buffer.from(passphrase.normalize('NFKC'))
  if (message.length === 0 || message.length > PASSPHRASE_BYTES_MAX) {
    throw new DidError(
      'ERR_PASSPHRASE_INVALID',
      `expected a passphrase of 1 to ${PASSPHRASE_BYTES_MAX} bytes`
    )
  }
  return await deriveKey('argon2id', {
    message,
    nonce: salt,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: 32
  })
}

/**
 * Puts `secret` under a passphrase.
 *
 * @throws DidError `ERR_PASSPHRASE_INVALID` when it is empty or too long
 */
export async function sealSecret(secret: Uint8Array, init: SealSecretInit): Promise<SealedSecret> {
  const cost = init.cost ?? ARGON2_DEFAULTS
  const salt = init.random.bytes(16)
  const nonce = init.random.bytes(12)
  const key = await boxKey(init.passphrase, salt, cost)
  const cipher = createCipheriv(CIPHER, key, nonce, CIPHER_OPTIONS)
  cipher.setAAD(Buffer.from(init.purpose), { plaintextLength: secret.length })
  const box = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  return {
    kdf: 'argon2id',
    memoryKib: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.parallelism,
    salt: Buffer.from(salt).toString('base64'),
    nonce: Buffer.from(nonce).toString('base64'),
    box: box.toString('base64')
  }
}

/**
 * Takes a secret out from under its passphrase.
 *
 * @throws DidError `ERR_PASSPHRASE_WRONG`, or `ERR_PASSPHRASE_INVALID` when it is empty or too long
 */
export async function openSecret(sealed: SealedSecret, key: BoxKey): Promise<Uint8Array> {
  const derived = await boxKey(key.passphrase, Buffer.from(sealed.salt, 'base64'), sealed)
  const box = Buffer.from(sealed.box, 'base64')
  const cipher = createDecipheriv(CIPHER, derived, Buffer.from(sealed.nonce, 'base64'), CIPHER_OPTIONS)
  const length = box.length - TAG_BYTES
  try {
    cipher.setAAD(Buffer.from(key.purpose), { plaintextLength: length })
    cipher.setAuthTag(box.subarray(length))
    return Uint8Array.from(Buffer.concat([cipher.update(box.subarray(0, length)), cipher.final()]))
  } catch (cause) {
    throw new DidError('ERR_PASSPHRASE_WRONG', 'expected the passphrase of this keystore, got another', {
      cause
    })
  }
}
