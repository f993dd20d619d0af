import { createKeystore } from '#did'
import type { CliContext, CommandInput } from '../context.ts'
import { describeIdentity, identityJson, KEYSTORE_COMPONENTS, keysFolder } from '../identity.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

/** `elastos id create` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const keystore = await createKeystore(keysFolder(context), KEYSTORE_COMPONENTS)
  const identity = keystore.summary()
  await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
  await printNotice(context, "'elastos id words' shows the words that bring it back if this device is lost")
}
