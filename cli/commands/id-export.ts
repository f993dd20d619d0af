import { resolve } from 'node:path'
import type { CliContext, CommandInput } from '../context.ts'
import { openIdentity } from '../identity.ts'
import { requiredArgument } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos id export FILE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const file = requiredArgument(input, 'file')
  const path = file === '-' ? file : resolve(context.workingFolder, file)
  const { keystore, passphrase } = await openIdentity(context)
  const sealWith = context.stdinIsTerminal
    ? await context.ask('Passphrase for the file (empty for none): ', { secret: true })
    : undefined
  await keystore.exportTo(path, {
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(sealWith === undefined || sealWith === '' ? {} : { sealWith })
  })
  await printResult(context, { file: path, isSealed: sealWith !== undefined && sealWith !== '' }, [path])
  await printNotice(context, 'whoever reads this file can be you: keep it offline')
}
