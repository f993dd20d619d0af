import { createHash } from 'node:crypto'
import * as z from 'zod'
import { openCertificate, type DeviceCertificate } from './certificate.ts'
import { KEYSTORE_FILE_BYTES_MAX } from './constants.ts'
import { parseDid, type Did } from './did.ts'
import { DidError } from './errors.ts'
import { sealedSecretSchema, type SealedSecret } from './secret-box.ts'

/** A secret as it stands in the keystore: base64, or under a passphrase. */
export type StoredSecret = { readonly plain: string } | { readonly sealed: SealedSecret }

/** The content of the keystore's one file, without its digest. */
export interface KeystoreBody {
  readonly format: 'elastos/keystore/1'
  /** The person's did. */
  readonly person: Did
  /** The device certificate, base64. */
  readonly certificate: string
  /** The device's seed. */
  readonly device: StoredSecret
  /** The entropy of the recovery words, until it is forgotten. */
  readonly root?: StoredSecret | undefined
  /** The person's seed, on devices that may publish. */
  readonly publishing?: StoredSecret | undefined
}

/** A keystore file that was read and found whole. */
export interface ReadKeystore {
  readonly body: KeystoreBody
  readonly certificate: DeviceCertificate
}

/** Where a secret stands in the keystore. */
export type SecretSlot = 'device' | 'root' | 'publishing'

const didSchema = z
  .string()
  .max(128)
  .transform((text) => parseDid(text))

const storedSecretSchema = z.union([
  z.strictObject({ plain: z.base64().length(44) }),
  z.strictObject({ sealed: sealedSecretSchema })
])

const bodySchema = z.strictObject({
  format: z.literal('elastos/keystore/1'),
  person: didSchema,
  certificate: z.base64().max(2048),
  device: storedSecretSchema,
  root: storedSecretSchema.optional(),
  publishing: storedSecretSchema.optional()
})

/** Bytes of a keystore file: JSON with a SHA-256 of the rest, which shows a damaged file before it is used. */
export function writeKeystoreFile(body: KeystoreBody): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...body, sha256: digestOf(body) }, undefined, 2)}\n`)
}

/**
 * Reads a keystore file.
 *
 * @throws DidError `ERR_KEYSTORE_CORRUPT` when it is damaged, or of a format this version does not know
 */
export function readKeystoreFile(bytes: Uint8Array, path: string): ReadKeystore {
  try {
    if (bytes.length > KEYSTORE_FILE_BYTES_MAX) throw new Error('too large')
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const { sha256, ...rest } = z.looseObject({ sha256: z.string() }).parse(JSON.parse(text))
    if (sha256 !== digestOf(rest)) throw new Error('digest differs')
    const body = bodySchema.parse(rest)
    const certificate = openCertificate(Buffer.from(body.certificate, 'base64'))
    if (certificate.person !== body.person) throw new Error('certificate of another person')
    return { body, certificate }
  } catch (cause) {
    throw corruptKeystore(path, cause)
  }
}

/** The error for a keystore whose content cannot be what this program wrote. */
export function corruptKeystore(path: string, cause?: unknown): DidError {
  return new DidError(
    'ERR_KEYSTORE_CORRUPT',
    `expected a whole keystore at ${path}, got a damaged or unknown one; nothing was changed. ` +
      'move it away and recover with your words',
    { cause }
  )
}

function digestOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex')
}
