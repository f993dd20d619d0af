import { dirname } from 'node:path'
import { KEYSTORE_FILE_BYTES_MAX, KEYSTORE_FILE_NAME, KEYSTORE_LOCK_NAME } from './constants.ts'
import type { Did } from './did.ts'
import { DidError } from './errors.ts'
import { writeExport, type ExportedSecret } from './export-file.ts'
import { keyPairFromSeed, type KeyPair } from './keys.ts'
import { corruptKeystore, readKeystoreFile, writeKeystoreFile } from './keystore-file.ts'
import type { KeystoreBody, ReadKeystore, SecretSlot, StoredSecret } from './keystore-file.ts'
import type { ExportOptions, IdentitySummary, Keystore, KeystoreComponents, SecretState } from './keystore.ts'
import {
  createPrivateFile,
  ensurePrivateFolder,
  privatePathOf,
  readPrivateFile,
  removeLeftovers,
  writePrivateFile
} from './private-file.ts'
import type { PrivatePath } from './private-file.ts'
import { openSecret, sealSecret, type SealedSecret } from './secret-box.ts'
import { keysFromWords, wordsFromEntropy } from './words.ts'
import { holdWriterLock } from './writer-lock.ts'

/** Where the keystore of `folder` is written. */
export function keystorePlace(folder: string): PrivatePath {
  return { folder, name: KEYSTORE_FILE_NAME }
}

/** Runs `task` as the only writer of the keystore in `folder`, after tidying up what killed writers left. */
export async function asOnlyWriter<T>(
  components: KeystoreComponents,
  folder: string,
  task: () => Promise<T>
): Promise<T> {
  await ensurePrivateFolder(components.files, folder)
  return await holdWriterLock(components, { folder, name: KEYSTORE_LOCK_NAME }, async () => {
    await removeLeftovers(components.files, keystorePlace(folder))
    await removeLeftovers(components.files, { folder, name: KEYSTORE_LOCK_NAME })
    return await task()
  })
}

/**
 * Reads the keystore of `folder`; `undefined` when there is none.
 *
 * @throws DidError `ERR_KEYSTORE_CORRUPT` or an `ERR_FILE_…` code
 */
export async function readStored(
  components: KeystoreComponents,
  folder: string
): Promise<ReadKeystore | undefined> {
  const place = keystorePlace(folder)
  const bytes = await readPrivateFile(components.files, place, KEYSTORE_FILE_BYTES_MAX)
  return bytes === undefined ? undefined : readKeystoreFile(bytes, privatePathOf(place))
}

/** A secret without a passphrase, as it is stored. */
export function plainSecret(secret: Uint8Array): StoredSecret {
  return { plain: Buffer.from(secret).toString('base64') }
}

function stateOf(stored: StoredSecret | undefined): SecretState {
  if (stored === undefined) return 'absent'
  return 'plain' in stored ? 'open' : 'locked'
}

/** Who a stored keystore is about and which secrets it holds. */
export function summaryOf({ body, certificate }: ReadKeystore): IdentitySummary {
  return {
    personDid: body.person,
    deviceDid: certificate.device,
    issuedAtMs: certificate.issuedAtMs,
    ...(certificate.name === undefined ? {} : { deviceName: certificate.name }),
    certificate: Uint8Array.from(Buffer.from(body.certificate, 'base64')),
    status: {
      device: stateOf(body.device),
      root: stateOf(body.root),
      publishing: stateOf(body.publishing)
    }
  }
}

function boxPurpose({ body, certificate }: ReadKeystore, slot: SecretSlot): string {
  return `elastos/keystore/1 ${slot} ${slot === 'device' ? certificate.device : body.person}`
}

/**
 * The bytes of one secret; `undefined` when it is not held.
 *
 * @throws DidError `ERR_KEYSTORE_LOCKED` when it needs a passphrase and none is given, `ERR_PASSPHRASE_WRONG`
 */
export async function openSlot(
  read: ReadKeystore,
  slot: SecretSlot,
  passphrase: string | undefined
): Promise<Uint8Array | undefined> {
  const stored = read.body[slot]
  if (stored === undefined) return undefined
  if ('plain' in stored) return Uint8Array.from(Buffer.from(stored.plain, 'base64'))
  if (passphrase === undefined) {
    throw new DidError(
      'ERR_KEYSTORE_LOCKED',
      `expected the passphrase of this keystore: its ${slot} key is locked`
    )
  }
  return await openSecret(stored.sealed, { passphrase, purpose: boxPurpose(read, slot) })
}

/**
 * The key pair of `seed`, which must be the one of `did`.
 *
 * @throws DidError `ERR_KEYSTORE_CORRUPT` when it is not
 */
export function keyOf(seed: Uint8Array, did: Did, folder: string): KeyPair {
  const key = keyPairFromSeed(seed)
  if (key.did !== did) throw corruptKeystore(privatePathOf(keystorePlace(folder)))
  return key
}

/** {@link Keystore} over the one file of its folder. */
export class StoredKeystore implements Keystore {
  readonly folder: string
  readonly device: KeyPair
  readonly #components: KeystoreComponents
  #read: ReadKeystore
  #publisher: KeyPair | undefined

  constructor(
    folder: string,
    device: KeyPair,
    state: { components: KeystoreComponents; read: ReadKeystore }
  ) {
    this.folder = folder
    this.device = device
    this.#components = state.components
    this.#read = state.read
    this.#publisher = this.#plainPublisher()
  }

  get certificate(): Uint8Array {
    return this.summary().certificate
  }

  get personDid(): Did {
    return this.#read.body.person
  }

  summary(): IdentitySummary {
    return summaryOf(this.#read)
  }

  publisher(): KeyPair | undefined {
    return this.#publisher
  }

  async words(options: { readonly passphrase?: string } = {}): Promise<string> {
    const entropy = await openSlot(this.#read, 'root', options.passphrase)
    if (entropy === undefined) {
      throw new DidError(
        'ERR_KEYSTORE_ROOT_ABSENT',
        'expected the recovery words to be kept on this device, but they were forgotten after being shown'
      )
    }
    const words = wordsFromEntropy(entropy)
    if (keysFromWords(words).person.did !== this.personDid) {
      throw corruptKeystore(privatePathOf(keystorePlace(this.folder)))
    }
    return words
  }

  async forgetRoot(options: { readonly keepPublishing?: boolean } = {}): Promise<void> {
    await this.#change(({ body }) => {
      const publishing = options.keepPublishing === true ? body.publishing : undefined
      return Promise.resolve({ ...body, root: undefined, publishing })
    })
  }

  async lock(passphrase: string, options: { readonly device?: boolean } = {}): Promise<void> {
    const slots: SecretSlot[] =
      options.device === true ? ['device', 'root', 'publishing'] : ['root', 'publishing']
    await this.#change(async (read) => {
      let body = read.body
      for (const slot of slots) {
        const secret = await openSlot(read, slot, passphrase)
        if (secret === undefined || stateOf(body[slot]) === 'locked') continue
        body = { ...body, [slot]: { sealed: await this.#seal(secret, boxPurpose(read, slot), passphrase) } }
      }
      return body
    })
  }

  async unlock(passphrase: string): Promise<void> {
    await this.#change(async (read) => {
      let body = read.body
      for (const slot of ['device', 'root', 'publishing'] as const) {
        const secret = await openSlot(read, slot, passphrase)
        if (secret !== undefined) body = { ...body, [slot]: plainSecret(secret) }
      }
      return body
    })
  }

  async unlockPublishing(passphrase: string): Promise<KeyPair> {
    const seed = await openSlot(this.#read, 'publishing', passphrase)
    if (seed === undefined) {
      throw new DidError(
        'ERR_KEYSTORE_PUBLISHING_ABSENT',
        'expected the person key to be kept on this device, but only a device with it may publish'
      )
    }
    this.#publisher = keyOf(seed, this.personDid, this.folder)
    return this.#publisher
  }

  async exportTo(file: string, options: ExportOptions = {}): Promise<void> {
    if (file === '' || file === '-' || /^\/(dev|proc|sys)(\/|$)/.test(file)) {
      throw new DidError('ERR_EXPORT_TARGET', 'expected the name of a new file, never a stream or a device')
    }
    const secret = await this.#exportedSecret(options.passphrase)
    const { random, argon2Cost } = this.#components
    const seal =
      options.sealWith === undefined
        ? undefined
        : { passphrase: options.sealWith, random, ...(argon2Cost === undefined ? {} : { cost: argon2Cost }) }
    await createPrivateFile(this.#components.files, file, await writeExport(this.personDid, secret, seal))
    await this.#components.files.syncFolder(dirname(file))
  }

  async refresh(): Promise<void> {
    const read = await readStored(this.#components, this.folder)
    if (read === undefined || read.certificate.device !== this.device.did) {
      throw new DidError(
        'ERR_KEYSTORE_MISSING',
        `expected the keystore of ${this.device.did} in ${this.folder}`
      )
    }
    this.#adopt(read)
  }

  async #exportedSecret(passphrase: string | undefined): Promise<ExportedSecret> {
    const entropy = await openSlot(this.#read, 'root', passphrase)
    if (entropy !== undefined) return { holds: 'words', entropy }
    const seed = await openSlot(this.#read, 'publishing', passphrase)
    if (seed !== undefined) return { holds: 'personSeed', seed }
    throw new DidError(
      'ERR_EXPORT_NOTHING',
      'expected words or a person key on this device, but it keeps neither'
    )
  }

  async #seal(secret: Uint8Array, purpose: string, passphrase: string): Promise<SealedSecret> {
    const { random, argon2Cost } = this.#components
    return await sealSecret(secret, {
      passphrase,
      purpose,
      random,
      ...(argon2Cost === undefined ? {} : { cost: argon2Cost })
    })
  }

  /** Reads, changes and writes as the only writer, so that a change made by another process is never lost. */
  async #change(change: (read: ReadKeystore) => Promise<KeystoreBody>): Promise<void> {
    const { files, random } = this.#components
    await asOnlyWriter(this.#components, this.folder, async () => {
      await this.refresh()
      const body = await change(this.#read)
      await writePrivateFile(files, keystorePlace(this.folder), {
        bytes: writeKeystoreFile(body),
        mode: 'replace',
        random
      })
      this.#adopt({ body, certificate: this.#read.certificate })
    })
  }

  #adopt(read: ReadKeystore): void {
    // A person key that was opened for this process stays open while what is stored stays the same.
    const isSame = JSON.stringify(read.body.publishing) === JSON.stringify(this.#read.body.publishing)
    this.#read = read
    if (!isSame) this.#publisher = this.#plainPublisher()
  }

  #plainPublisher(): KeyPair | undefined {
    const stored = this.#read.body.publishing
    if (stored === undefined || !('plain' in stored)) return undefined
    return keyOf(Buffer.from(stored.plain, 'base64'), this.personDid, this.folder)
  }
}
