import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { requiredArgument, switchOption } from '../input.ts'
import { printNotice, printResult } from '../output.ts'

/** `elastos device revoke DEVICE` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const device = requiredArgument(input, 'device')
  await using client = await context.connect()
  if (!switchOption(input, 'yes')) await confirm(context, device)
  const revoked = await client.call(
    'device.revoke',
    { device, ...(switchOption(input, 'first') ? { first: true } : {}) },
    { signal: context.signal }
  )
  const { told, isPublished } = revoked
  const peers = `${told} ${told === 1 ? 'peer' : 'peers'}`
  await printResult(context, revoked, [`${revoked.device} is revoked: ${peers} told, who tell others`])
  if (told === 0) {
    await printNotice(
      context,
      'nobody is connected: others hear of it as soon as this node meets one of them'
    )
  }
  if (!isPublished) {
    await printNotice(
      context,
      'it is not in your public list yet; that is tried again by itself while the node runs'
    )
  }
}

async function confirm(context: CliContext, device: string): Promise<void> {
  if (!context.stdinIsTerminal) {
    throw new CliError(
      'ERR_TERMINAL_NEEDED',
      `expected a terminal to ask on: 'Revoke ${device}?'; --yes does not ask`
    )
  }
  const answer = await context.ask(`Revoke ${device}? It can never come back with the key it has. [y/N] `)
  if (answer?.trim().toLowerCase() !== 'y') throw new CliError('ERR_CANCELLED', 'nothing was revoked')
}
