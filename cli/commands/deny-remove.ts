import type { CliContext, CommandInput } from '../context.ts'
import { changeDenied } from '../deny.ts'

/** `elastos deny remove CID|DID` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  await changeDenied('deny.remove', input, context)
}
