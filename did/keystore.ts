import type { Clock, Random } from '#contracts'
import type { Did } from './did.ts'
import type { KeyPair } from './keys.ts'
import type { PrivateFiles } from './private-file.ts'
import type { Argon2Cost } from './secret-box.ts'

/** What a keystore works with. */
export interface KeystoreComponents {
  /** Usually {@link systemPrivateFiles}. */
  readonly files: PrivateFiles
  readonly clock: Pick<Clock, 'nowMs'>
  readonly random: Random
  /** Cost of new passphrase locks; the default takes about a quarter of a second and 64 MiB. */
  readonly argon2Cost?: Argon2Cost
}

/** Whether a secret is on this device, and whether a passphrase stands before it. */
export type SecretState = 'open' | 'locked' | 'absent'

/** Which secrets a keystore holds. */
export interface KeystoreStatus {
  /** The device key; without it the node cannot start. */
  readonly device: SecretState
  /** The recovery words. While this is not `absent` the person has yet to write them down. */
  readonly root: SecretState
  /** The person key, for publishing. */
  readonly publishing: SecretState
}

/** Who a device is, without any secret. */
export interface IdentitySummary {
  readonly personDid: Did
  readonly deviceDid: Did
  /** When the person certified the device, milliseconds since the Unix epoch. */
  readonly issuedAtMs: number
  readonly deviceName?: string
  /** The device certificate, as peers may see it. */
  readonly certificate: Uint8Array
  readonly status: KeystoreStatus
}

/** Options of {@link Keystore.exportTo}. */
export interface ExportOptions {
  /** Opens the keystore's own secrets when they are locked. */
  readonly passphrase?: string
  /** Puts the export under this passphrase; without it the file holds the words in clear. */
  readonly sealWith?: string
}

/** The keys of this device and, while they are kept here, of its person. Created by {@link openKeystore}. */
export interface Keystore {
  /** The folder the keys are in. */
  readonly folder: string
  /** The device key: PeerId and did of this node. */
  readonly device: KeyPair
  /** The person's certificate for the device key. */
  readonly certificate: Uint8Array
  /** The person, publisher of everything published here. */
  readonly personDid: Did
  /** Who this is and which secrets are held. */
  summary(): IdentitySummary
  /** The person key, when this device may publish and it is not locked. */
  publisher(): KeyPair | undefined
  /**
   * The 24 recovery words, to show them once.
   *
   * @throws DidError `ERR_KEYSTORE_ROOT_ABSENT` when they are not kept here any more, `ERR_KEYSTORE_LOCKED`,
   * `ERR_PASSPHRASE_WRONG`
   */
  words(options?: { readonly passphrase?: string }): Promise<string>
  /**
   * Removes the recovery words from this device, once the person has them on paper, and the person key too unless
   * it stays here to publish.
   *
   * @throws DidError `ERR_KEYSTORE_BUSY`, `ERR_FILE_IO`
   */
  forgetRoot(options?: { readonly keepPublishing?: boolean }): Promise<void>
  /**
   * Puts words and person key under a passphrase, and with `device` the device key as well: then the node asks
   * for the passphrase at every start. What is locked already must open with the same passphrase.
   *
   * @throws DidError `ERR_PASSPHRASE_INVALID`, `ERR_PASSPHRASE_WRONG`, `ERR_KEYSTORE_BUSY`
   */
  lock(passphrase: string, options?: { readonly device?: boolean }): Promise<void>
  /**
   * Takes the passphrase off every key.
   *
   * @throws DidError `ERR_PASSPHRASE_WRONG`, `ERR_KEYSTORE_BUSY`
   */
  unlock(passphrase: string): Promise<void>
  /**
   * Opens the person key for this process only; {@link publisher} then returns it. Nothing on disk changes.
   *
   * @throws DidError `ERR_KEYSTORE_PUBLISHING_ABSENT`, `ERR_PASSPHRASE_WRONG`
   */
  unlockPublishing(passphrase: string): Promise<KeyPair>
  /**
   * Writes the words, or the person key when only that is kept, to a new file with mode 0600.
   *
   * @throws DidError `ERR_EXPORT_TARGET` for a stream or device, `ERR_FILE_EXISTS`, `ERR_EXPORT_NOTHING`,
   * `ERR_KEYSTORE_LOCKED`, `ERR_PASSPHRASE_WRONG`
   */
  exportTo(file: string, options?: ExportOptions): Promise<void>
  /** Reads the files again, after another process changed them. The device key stays what it is. */
  refresh(): Promise<void>
}

/** Options of {@link createKeystore}. */
export interface KeystoreInit {
  /** Part of the certificate, so every peer sees it; absent by default. */
  readonly deviceName?: string
}

/** Options of {@link openKeystore}. */
export interface OpenKeystoreOptions {
  /** Needed when the device key is locked. */
  readonly passphrase?: string
}

/** Where {@link recoverKeystore} finds the person. */
export type RecoverySource =
  { readonly words: string } | { readonly exportFile: string; readonly passphrase?: string }

/** Options of {@link recoverKeystore}. */
export interface RecoverInit extends KeystoreInit {
  /** Keep the person key here to publish; true by default. The words themselves are never kept. */
  readonly keepPublishing?: boolean
}
