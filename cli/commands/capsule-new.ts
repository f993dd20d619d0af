import { resolve } from 'node:path'
import {
  CAPSULE_LANGUAGES,
  CAPSULE_TYPES,
  isCapsuleLanguage,
  isCapsuleType,
  newCapsule,
  systemPowers
} from '#capsule-host'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { requiredArgument, textOption } from '../input.ts'
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
  const type = textOption(input, 'type')
  if (type !== undefined && !isCapsuleType(type)) {
    throw new CliError('ERR_USAGE', `expected --type ${CAPSULE_TYPES.join(' or ')}, got ${type.slice(0, 40)}`)
  }
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
