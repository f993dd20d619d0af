import type { CliContext, CommandInput } from '../context.ts'
import { changeDenied } from '../deny.ts'

/** `elastos deny add CID|DID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await changeDenied('deny.add', input, context)
}
