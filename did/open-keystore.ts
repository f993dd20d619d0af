import { certifyDevice, personOfDevice } from './certificate.ts'
import { EXPORT_FILE_BYTES_MAX } from './constants.ts'
import type { Did } from './did.ts'
import { DidError } from './errors.ts'
import { openExport } from './export-file.ts'
import { createKeyPair, type KeyPair } from './keys.ts'
import { writeKeystoreFile, type KeystoreBody } from './keystore-file.ts'
import type {
  IdentitySummary,
  Keystore,
  KeystoreComponents,
  KeystoreInit,
  OpenKeystoreOptions,
  RecoverInit,
  RecoverySource
} from './keystore.ts'
import { privatePathOf, readFileAnywhere, writePrivateFile } from './private-file.ts'
import {
  asOnlyWriter,
  keyOf,
  keystorePlace,
  openSlot,
  plainSecret,
  readStored,
  StoredKeystore,
  summaryOf
} from './stored-keystore.ts'
import { createWords, entropyFromWords, keysFromWords } from './words.ts'

/**
 * Creates a person (24 words), a device key and its certificate in `folder`, asking nothing: what the first start
 * of a node does. The words stay in the keystore until {@link Keystore.forgetRoot}.
 *
 * @throws DidError `ERR_KEYSTORE_EXISTS` when there is one already, `ERR_KEYSTORE_BUSY` or an `ERR_FILE_…` code
 */
export async function createKeystore(
  folder: string,
  components: KeystoreComponents,
  init: KeystoreInit = {}
): Promise<Keystore> {
  const words = createWords(components.random)
  const { person } = keysFromWords(words)
  return await storeNew(folder, components, {
    person,
    ...init,
    secrets: { root: plainSecret(entropyFromWords(words)), publishing: plainSecret(person.seed) }
  })
}

/**
 * Opens the keystore in `folder`. Works while a node that uses it runs.
 *
 * @throws DidError `ERR_KEYSTORE_MISSING`, `ERR_KEYSTORE_CORRUPT`, `ERR_KEYSTORE_LOCKED` when the device key needs
 * a passphrase, `ERR_PASSPHRASE_WRONG`, `ERR_FILE_EXPOSED` (with the command that mends it) or another `ERR_FILE_…`
 */
export async function openKeystore(
  folder: string,
  components: KeystoreComponents,
  options: OpenKeystoreOptions = {}
): Promise<Keystore> {
  const read = await readStored(components, folder)
  if (read === undefined) throw missing(folder)
  const seed = await openSlot(read, 'device', options.passphrase)
  if (seed === undefined) throw missing(folder)
  const device = keyOf(seed, read.certificate.device, folder)
  return new StoredKeystore(folder, device, { components, read })
}

/**
 * Who the keystore in `folder` belongs to, without opening any secret; `undefined` when there is none. Works on a
 * locked keystore.
 *
 * @throws DidError `ERR_KEYSTORE_CORRUPT` or an `ERR_FILE_…` code
 */
export async function readIdentity(
  folder: string,
  components: KeystoreComponents
): Promise<IdentitySummary | undefined> {
  const read = await readStored(components, folder)
  return read === undefined ? undefined : summaryOf(read)
}

/**
 * Makes this device one of a person's again, from words or an export: a fresh device key, certified by the person
 * key. The words are not kept.
 *
 * @throws DidError `ERR_KEYSTORE_EXISTS` rather than replace an identity, an `ERR_WORDS_…` or `ERR_EXPORT_…` code,
 * `ERR_PASSPHRASE_WRONG`, `ERR_KEYSTORE_BUSY` or an `ERR_FILE_…` code
 */
export async function recoverKeystore(
  folder: string,
  components: KeystoreComponents,
  init: RecoverInit & { readonly from: RecoverySource }
): Promise<Keystore> {
  const { from, keepPublishing = true, ...rest } = init
  const person = 'words' in from ? keysFromWords(from.words).person : await readExported(components, from)
  const secrets = keepPublishing ? { publishing: plainSecret(person.seed) } : {}
  return await storeNew(folder, components, { person, ...rest, secrets })
}

/**
 * Makes this device one of a person's by a certificate that another device of the person signed for `device`. Neither
 * words nor person key come with it: this device speaks for the person, but publishes and certifies nothing.
 *
 * @throws DidError `ERR_KEYSTORE_EXISTS` rather than replace an identity, `ERR_CERTIFICATE_DEVICE` for a certificate of
 * another device, another `ERR_CERTIFICATE_…` or `ERR_ENVELOPE_…` code, `ERR_KEYSTORE_BUSY` or an `ERR_FILE_…` code
 */
export async function adoptKeystore(
  folder: string,
  components: KeystoreComponents,
  { device, certificate }: { readonly device: KeyPair; readonly certificate: Uint8Array }
): Promise<Keystore> {
  const person = personOfDevice(certificate, device.did)
  return await store(folder, components, { person, device, certificate, secrets: {} })
}

async function readExported(
  components: KeystoreComponents,
  from: { readonly exportFile: string; readonly passphrase?: string }
): Promise<KeyPair> {
  const bytes = await readFileAnywhere(components.files, from.exportFile, EXPORT_FILE_BYTES_MAX)
  return await openExport(bytes, from.passphrase)
}

interface NewIdentity extends KeystoreInit {
  readonly person: KeyPair
  readonly secrets: Pick<KeystoreBody, 'root' | 'publishing'>
}

async function storeNew(
  folder: string,
  components: KeystoreComponents,
  { person, secrets, deviceName }: NewIdentity
): Promise<Keystore> {
  const { clock, random } = components
  const device = createKeyPair(random)
  const certificate = certifyDevice(person, {
    device: device.did,
    issuedAtMs: clock.nowMs(),
    ...(deviceName === undefined ? {} : { name: deviceName })
  })
  return await store(folder, components, { person: person.did, device, certificate, secrets })
}

interface Certified {
  readonly person: Did
  readonly device: KeyPair
  readonly certificate: Uint8Array
  readonly secrets: Pick<KeystoreBody, 'root' | 'publishing'>
}

async function store(
  folder: string,
  components: KeystoreComponents,
  { person, device, certificate, secrets }: Certified
): Promise<Keystore> {
  const { files, random } = components
  const body: KeystoreBody = {
    format: 'elastos/keystore/1',
    person,
    certificate: Buffer.from(certificate).toString('base64'),
    device: plainSecret(device.seed),
    ...secrets
  }
  await asOnlyWriter(components, folder, async () => {
    try {
      await writePrivateFile(files, keystorePlace(folder), {
        bytes: writeKeystoreFile(body),
        mode: 'create',
        random
      })
    } catch (thrown) {
      if (thrown instanceof DidError && thrown.code === 'ERR_FILE_EXISTS') throw existing(folder)
      throw thrown
    }
  })
  return await openKeystore(folder, components)
}

function missing(folder: string): DidError {
  return new DidError('ERR_KEYSTORE_MISSING', `expected a keystore in ${folder}, found none`)
}

function existing(folder: string): DidError {
  return new DidError(
    'ERR_KEYSTORE_EXISTS',
    `expected no identity at ${privatePathOf(keystorePlace(folder))}, found one; it is never overwritten. ` +
      'to use another on this device, move that folder away first'
  )
}
