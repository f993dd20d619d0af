import { renderUnicodeCompact } from 'uqr'
import { errorMessage, silentLogger } from '#contracts'
import { DidError, readIdentity } from '#did'
import type { Pairing } from '#node'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { describeIdentity, identityJson, KEYSTORE_COMPONENTS, keysFolder } from '../identity.ts'
import { listOption, textOption } from '../input.ts'
import { formatTable, jsonLine, printNotice, printResult } from '../output.ts'

const REACHES = ['local', 'lan', 'public'] as const
const PASTED_BYTES_MAX = 16_384

/** `elastos device join` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const reach = REACHES.find((known) => known === (textOption(input, 'reach') ?? 'lan'))
  if (reach === undefined)
    throw new CliError('ERR_USAGE', `expected --reach to be one of ${REACHES.join(', ')}`)
  const existing = await readIdentity(keysFolder(context), KEYSTORE_COMPONENTS)
  if (existing !== undefined) {
    throw new DidError(
      'ERR_KEYSTORE_EXISTS',
      `${context.dataFolder} already holds ${existing.personDid}; nothing is overwritten: choose another --data`
    )
  }
  const listen = listOption(input, 'listen')
  const { startPairing } = await import('#node')
  await using pairing = await startPairing(
    { ...KEYSTORE_COMPONENTS, clock: context.clock, logger: silentLogger },
    { keysFolder: keysFolder(context), reach, ...(listen.length === 0 ? {} : { listen }) }
  )
  await showCode(context, pairing)
  // Ends with the command: what was typed is nobody's then.
  void acceptPasted(context, pairing).catch(() => undefined)
  const identity = await Promise.race([pairing.finished, cancelled(context.signal)])
  await printResult(context, identityJson(identity), formatTable(describeIdentity(identity)))
}

async function showCode(context: CliContext, { code, device }: Pairing): Promise<void> {
  if (context.json) {
    await context.stdout.write(jsonLine({ event: 'code', code, device }))
    return
  }
  if (context.stderr.isTerminal) await context.stderr.write(`\n${renderUnicodeCompact(code)}\n\n`)
  await printNotice(context, `on a device of yours:  elastos device add ${code}`)
  await printNotice(context, 'waiting; if they cannot reach each other, paste here what that prints')
}

/** Takes a certificate from standard input, a line each; what is none is said to be none. */
async function acceptPasted(context: CliContext, pairing: Pairing): Promise<void> {
  let pending = ''
  const text = new TextDecoder()
  for await (const chunk of context.stdin) {
    pending += text.decode(chunk, { stream: true })
    if (pending.length > PASTED_BYTES_MAX) pending = ''
    const lines = pending.split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines.filter((one) => one.trim() !== '')) await acceptLine(context, pairing, line)
  }
  if (pending.trim() !== '') await acceptLine(context, pairing, pending)
}

async function acceptLine(context: CliContext, pairing: Pairing, line: string): Promise<void> {
  try {
    await pairing.accept(line)
  } catch (thrown) {
    await printNotice(context, errorMessage(thrown))
  }
}

async function cancelled(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const give = (): void =>
      reject(new CliError('ERR_CANCELLED', 'nothing was kept: begin again with a new code'))
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
  })
}
