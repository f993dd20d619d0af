import { join } from 'node:path'
import { systemClock, systemRandom } from '#contracts'
import {
  openKeystore,
  readIdentity,
  systemPrivateFiles,
  DidError,
  type IdentitySummary,
  type Keystore,
  type KeystoreComponents
} from '#did'
import type { CliContext } from './context.ts'
import { CliError } from './errors.ts'

/** What the keystore of this device works with. */
export const KEYSTORE_COMPONENTS: KeystoreComponents = {
  files: systemPrivateFiles,
  clock: systemClock,
  random: systemRandom
}

/** The folder of the keys inside a data folder; `node/data-folder.ts` says the same to the node. */
export function keysFolder(context: Pick<CliContext, 'dataFolder'>): string {
  return join(context.dataFolder, 'keys')
}

/** The identity of the data folder. @throws DidError ERR_KEYSTORE_MISSING with what makes one */
export async function requireIdentity(context: CliContext): Promise<IdentitySummary> {
  const identity = await readIdentity(keysFolder(context), KEYSTORE_COMPONENTS)
  if (identity !== undefined) return identity
  throw new DidError(
    'ERR_KEYSTORE_MISSING',
    `no identity in ${context.dataFolder}: 'elastos id create' makes one, 'elastos id recover' brings yours back`
  )
}

/** Opens the keystore, asking for the passphrase when the device key is locked. */
export async function openIdentity(
  context: CliContext
): Promise<{ keystore: Keystore; passphrase?: string }> {
  const { status } = await requireIdentity(context)
  const isLocked = status.device === 'locked' || status.root === 'locked' || status.publishing === 'locked'
  if (!isLocked) return { keystore: await openKeystore(keysFolder(context), KEYSTORE_COMPONENTS) }
  const passphrase = await askPassphrase(context, 'Passphrase of the keys: ')
  return {
    keystore: await openKeystore(keysFolder(context), KEYSTORE_COMPONENTS, { passphrase }),
    passphrase
  }
}

/** The passphrase from `ELASTOS_PASSPHRASE`, else asked on the terminal. */
export async function askPassphrase(context: CliContext, question: string): Promise<string> {
  const given = context.environment['ELASTOS_PASSPHRASE'] ?? (await context.ask(question, { secret: true }))
  if (given !== undefined && given !== '') return given
  throw new CliError('ERR_CANCELLED', 'no passphrase was given')
}

/** An identity for people. */
export function describeIdentity(identity: IdentitySummary): string[][] {
  const { status } = identity
  return [
    ['you', identity.personDid],
    ['this device', identity.deviceDid],
    ['since', new Date(identity.issuedAtMs).toISOString()],
    ['device key', status.device],
    [
      'recovery words',
      status.root === 'absent' ? 'written down, not on this device' : `on this device, ${status.root}`
    ],
    ['may publish', status.publishing === 'absent' ? 'no' : `yes, ${status.publishing}`]
  ]
}

/** An identity for programs: no secret, no bytes. */
export function identityJson(identity: IdentitySummary): object {
  const { personDid, deviceDid, issuedAtMs, status } = identity
  return { personDid, deviceDid, issuedAtMs, ...status }
}
