import type { CliContext, CommandInput } from '../context.ts'
import { openIdentity } from '../identity.ts'
import { printResult } from '../output.ts'

/** `elastos id unlock` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const { keystore, passphrase } = await openIdentity(context)
  if (passphrase !== undefined) await keystore.unlock(passphrase)
  await printResult(context, { locked: false }, ['the keys are not locked'])
}
