import { resolve } from 'node:path'
import { errorCode } from '#contracts'
import { DidError, readIdentity, recoverKeystore, type Keystore, type RecoverySource } from '#did'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import {
  askPassphrase,
  describeIdentity,
  identityJson,
  KEYSTORE_COMPONENTS,
  keysFolder
} from '../identity.ts'
import { textOption } from '../input.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

const WORDS_BYTES_MAX = 4096

/** `elastos id recover` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  // Asked before the words are: nobody should type 24 words to be refused.
  const existing = await readIdentity(keysFolder(context), KEYSTORE_COMPONENTS)
  if (existing !== undefined) {
    throw new DidError(
      'ERR_KEYSTORE_EXISTS',
      `${context.dataFolder} already holds ${existing.personDid}; nothing is overwritten: choose another --data`
    )
  }
  const file = textOption(input, 'from')
  const keystore = file === undefined ? await recoverFromWords(context) : await recoverFromFile(context, file)
  const identity = keystore.summary()
  await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
  await printNotice(context, 'this device has a key of its own, certified by you; the words were not kept')
}

async function recoverFromWords(context: CliContext): Promise<Keystore> {
  const words = context.stdinIsTerminal
    ? await context.ask('Your 24 words: ', { secret: true })
    : await readWords(context)
  if (words === undefined || words.trim() === '') {
    throw new CliError('ERR_USAGE', 'expected 24 words, typed or as one line of standard input, got none')
  }
  return await recoverKeystore(keysFolder(context), KEYSTORE_COMPONENTS, { from: { words } })
}

/** Asks for a passphrase only when the file turns out to need one. */
async function recoverFromFile(context: CliContext, file: string): Promise<Keystore> {
  const exportFile = resolve(context.workingFolder, file)
  const recover = async (from: RecoverySource): Promise<Keystore> =>
    await recoverKeystore(keysFolder(context), KEYSTORE_COMPONENTS, { from })
  try {
    return await recover({ exportFile })
  } catch (thrown) {
    if (errorCode(thrown) !== 'ERR_EXPORT_LOCKED') throw thrown
    return await recover({ exportFile, passphrase: await askPassphrase(context, 'Passphrase of the file: ') })
  }
}

async function readWords(context: CliContext): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of context.stdin) {
    bytes += chunk.byteLength
    if (bytes > WORDS_BYTES_MAX)
      throw new CliError('ERR_USAGE', `expected 24 words, got over ${WORDS_BYTES_MAX} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}
