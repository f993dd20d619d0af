import * as z from 'zod'
import { ROOT_ENTROPY_BYTES, WORDS_CHARS_MAX } from './constants.ts'
import { parseDid, type Did } from './did.ts'
import { DidError } from './errors.ts'
import { keyPairFromSeed, type KeyPair } from './keys.ts'
import {
  openSecret,
  sealedSecretSchema,
  sealSecret,
  type SealedSecret,
  type SealSecretInit
} from './secret-box.ts'
import { keysFromWords, wordsFromEntropy } from './words.ts'

/** What an export carries: all of a person, or only the key that publishes and certifies devices. */
export type ExportedSecret =
  | { readonly holds: 'words'; readonly entropy: Uint8Array }
  | { readonly holds: 'personSeed'; readonly seed: Uint8Array }

interface ExportFile {
  readonly format: 'elastos/identity-export/1'
  readonly person: string
  readonly words?: string | undefined
  readonly personSeed?: string | undefined
  readonly sealedWords?: SealedSecret | undefined
  readonly sealedPersonSeed?: SealedSecret | undefined
}

const exportSchema: z.ZodType<ExportFile> = z.strictObject({
  format: z.literal('elastos/identity-export/1'),
  person: z.string().max(128),
  words: z.string().max(WORDS_CHARS_MAX).optional(),
  personSeed: z.base64().length(44).optional(),
  sealedWords: sealedSecretSchema.optional(),
  sealedPersonSeed: sealedSecretSchema.optional()
})

function boxPurpose(holds: ExportedSecret['holds'], person: Did): string {
  return `elastos/identity-export/1 ${holds} ${person}`
}

/**
 * The bytes of an identity export, under a passphrase when `seal` is given.
 *
 * @throws DidError `ERR_PASSPHRASE_INVALID`
 */
export async function writeExport(
  person: Did,
  secret: ExportedSecret,
  seal?: Omit<SealSecretInit, 'purpose'>
): Promise<Uint8Array> {
  const head = { format: 'elastos/identity-export/1', person } as const
  const bytes = secret.holds === 'words' ? secret.entropy : secret.seed
  let file: ExportFile
  if (seal !== undefined) {
    const box = await sealSecret(bytes, { ...seal, purpose: boxPurpose(secret.holds, person) })
    file = secret.holds === 'words' ? { ...head, sealedWords: box } : { ...head, sealedPersonSeed: box }
  } else if (secret.holds === 'words') {
    file = { ...head, words: wordsFromEntropy(bytes) }
  } else {
    file = { ...head, personSeed: Buffer.from(bytes).toString('base64') }
  }
  return Buffer.from(`${JSON.stringify(file, undefined, 2)}\n`)
}

/**
 * The person key an export stands for.
 *
 * @throws DidError `ERR_EXPORT_INVALID` when it is no export or its parts disagree, `ERR_EXPORT_LOCKED` when it
 * needs a passphrase, `ERR_PASSPHRASE_WRONG`
 */
export async function openExport(bytes: Uint8Array, passphrase?: string): Promise<KeyPair> {
  const file = parseExport(bytes)
  const person = await personKey(file, passphrase)
  if (person.did !== file.person) throw invalidExport()
  return person
}

function parseExport(bytes: Uint8Array): ExportFile {
  try {
    return exportSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw invalidExport(cause)
  }
}

async function personKey(file: ExportFile, passphrase: string | undefined): Promise<KeyPair> {
  if (file.words !== undefined) return keysFromWords(file.words).person
  if (file.personSeed !== undefined) return keyPairFromSeed(Buffer.from(file.personSeed, 'base64'))
  const sealed = file.sealedWords ?? file.sealedPersonSeed
  if (sealed === undefined) throw invalidExport()
  if (passphrase === undefined) {
    throw new DidError('ERR_EXPORT_LOCKED', 'expected the passphrase this export was written with')
  }
  const holds = file.sealedWords === undefined ? 'personSeed' : 'words'
  const secret = await openSecret(sealed, { passphrase, purpose: boxPurpose(holds, parseDid(file.person)) })
  if (secret.length !== ROOT_ENTROPY_BYTES) throw invalidExport()
  return holds === 'words' ? keysFromWords(wordsFromEntropy(secret)).person : keyPairFromSeed(secret)
}

function invalidExport(cause?: unknown): DidError {
  return new DidError('ERR_EXPORT_INVALID', 'expected a whole identity export of this program', { cause })
}
