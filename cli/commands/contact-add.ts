import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument } from '../input.ts'
import { printResult } from '../output.ts'

/** `elastos contact add PETNAME DID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await using client = await context.connect()
  const params = { petname: requiredArgument(input, 'petname'), did: requiredArgument(input, 'did') }
  const contact = await client.call('contact.add', params)
  await printResult(context, contact, [`${contact.petname} is ${contact.did}`])
}
