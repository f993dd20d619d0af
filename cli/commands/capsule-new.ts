import { resolve } from 'node:path'
import { CAPSULE_LANGUAGES, CAPSULE_TYPES, isCapsuleLanguage, newCapsule, systemPowers } from '#capsule-host'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { choiceOption, requiredArgument, textOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos capsule new NAME` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const name = requiredArgument(input, 'name')
  const folder = resolve(context.workingFolder, textOption(input, 'folder') ?? name)
  const language = textOption(input, 'lang')
  if (language !== undefined && !isCapsuleLanguage(language)) {
    throw new CliError(
      'ERR_USAGE',
      `expected --lang ${CAPSULE_LANGUAGES.join(', ')}, got ${JSON.stringify(language.slice(0, 40))}`
    )
  }
  const type = choiceOption(input, 'type', CAPSULE_TYPES)
  if (type === 'microvm' && language !== undefined) {
    throw new CliError(
      'ERR_USAGE',
      'expected --lang or --type microvm: what runs in a microVM is any Linux program'
    )
  }
  const made = await newCapsule(systemPowers, { name, folder, type, language })
  await printResult(context, made, [made.folder])
  await printNotice(context, `try it: elastos capsule dev ${made.folder}`)
}
