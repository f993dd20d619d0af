import type { Clock, Random } from '#contracts'
import { createKeystore, openKeystore, readIdentity, type Keystore, type PrivateFiles } from '#did'

/** How a node gets at the keys of its device. */
export interface IdentityInit {
  readonly keysFolder: string
  readonly passphrase?: string | undefined
  /** Asks the owner when the device key is locked and no passphrase was given. */
  readonly askPassphrase?: (() => Promise<string | undefined>) | undefined
}

/**
 * Opens the keystore of the data folder, making a new identity at the first start.
 *
 * @throws DidError `ERR_KEYSTORE_LOCKED`, `ERR_PASSPHRASE_WRONG`, `ERR_KEYSTORE_CORRUPT` or an `ERR_FILE_…` code
 */
export async function openOrCreateIdentity(
  components: { readonly files: PrivateFiles; readonly clock: Clock; readonly random: Random },
  init: IdentityInit
): Promise<{ keystore: Keystore; isNew: boolean }> {
  const { keysFolder } = init
  const identity = await readIdentity(keysFolder, components)
  if (identity === undefined) return { keystore: await createKeystore(keysFolder, components), isNew: true }
  const isLocked = identity.status.device === 'locked'
  const passphrase = init.passphrase ?? (isLocked ? await init.askPassphrase?.() : undefined)
  const options = passphrase === undefined ? {} : { passphrase }
  const keystore = await openKeystore(keysFolder, components, options)
  if (passphrase !== undefined && identity.status.publishing === 'locked') {
    await keystore.unlockPublishing(passphrase)
  }
  return { keystore, isNew: false }
}
