import { resolve } from 'node:path'
import { newCapsule, systemPowers } from '#capsule-host'
import type { CliContext, CommandInput } from '../context.ts'
import { requiredArgument, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos capsule new NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = requiredArgument(input, 'name')
  const folder = resolve(context.workingFolder, textOption(input, 'folder') ?? name)
  const made = await newCapsule(systemPowers, { name, folder })
  await printResult(context, made, [made.folder])
  await printNotice(context, `try it: elastos capsule run ${made.folder} --dev`)
}
