import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { askPassphrase, openIdentity } from '../identity.ts'
import { printResult } from '../output.ts'

/** `elastos id lock` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const { keystore } = await openIdentity(context)
  const passphrase = await askPassphrase(context, 'New passphrase: ')
  if (context.environment['ELASTOS_PASSPHRASE'] === undefined) {
    const again = await askPassphrase(context, 'Once more: ')
    if (again !== passphrase)
      throw new CliError('ERR_USAGE', 'expected the same passphrase twice; nothing was changed')
  }
  await keystore.lock(passphrase, { device: true })
  await printResult(context, { locked: true }, ['locked: the node asks for the passphrase at its next start'])
}
