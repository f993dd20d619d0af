import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { askPassphrase, openIdentity } from '../identity.ts'
import { switchOption } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos id lock` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const { keystore, passphrase: known } = await openIdentity(context)
  const device = switchOption(input, 'device')
  await keystore.lock(known ?? (await choosePassphrase(context)), { device })
  const { status } = keystore.summary()
  await printResult(context, { locked: true, ...status }, [
    status.device === 'locked'
      ? 'locked: the node asks for the passphrase at its next start'
      : "locked: the node still starts by itself, but publishes only when started with the passphrase ('--device' locks that too)"
  ])
}

async function choosePassphrase(context: CliContext): Promise<string> {
  const passphrase = await askPassphrase(context, 'New passphrase: ')
  if (context.environment['ELASTOS_PASSPHRASE'] !== undefined) return passphrase
  if ((await askPassphrase(context, 'Once more: ')) === passphrase) return passphrase
  throw new CliError('ERR_USAGE', 'expected the same passphrase twice; nothing was changed')
}
