import { DidError, readIdentity, recoverKeystore } from '#did'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { describeIdentity, identityJson, KEYSTORE_COMPONENTS, keysFolder } from '../identity.ts'
import { formatTable, printNotice, printResult } from '../output.ts'

const WORDS_BYTES_MAX = 4096

/** `elastos id recover` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  // Asked before the words are: nobody should type 24 words to be refused.
  const existing = await readIdentity(keysFolder(context), KEYSTORE_COMPONENTS)
  if (existing !== undefined) {
    throw new DidError(
      'ERR_KEYSTORE_EXISTS',
      `${context.dataFolder} already holds ${existing.personDid}; nothing is overwritten: choose another --data`
    )
  }
  const words = context.stdinIsTerminal
    ? await context.ask('Your 24 words: ', { secret: true })
    : await readWords(context)
  if (words === undefined || words.trim() === '') throw new CliError('ERR_CANCELLED', 'no words were given')
  const keystore = await recoverKeystore(keysFolder(context), KEYSTORE_COMPONENTS, { from: { words } })
  const identity = keystore.summary()
  await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
  await printNotice(context, 'this device has a key of its own, certified by you; the words were not kept')
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
