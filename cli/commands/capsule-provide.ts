import type { ProviderStatus } from '#contracts'
import type { CliContext, CommandInput } from '../context.ts'
import { CliError } from '../errors.ts'
import { optionalArgument, switchOption } from '../input.ts'
import { formatTable, printResult, safeText } from '../output.ts'

/** `elastos capsule provide [CONTRACT [NAME]]` */
export async function run(input: CommandInput, context: CliContext): Promise<undefined> {
  const contract = optionalArgument(input, 'contract')
  const name = optionalArgument(input, 'name')
  const { signal } = context
  await using client = await context.connect()
  if (contract === undefined) {
    const { providers } = await client.call('capsule.providers', {}, { signal })
    await printResult(context, { providers }, formatTable(providers.map(rowOf)))
    return
  }
  if (name === undefined && !switchOption(input, 'shipped')) {
    throw new CliError(
      'ERR_USAGE',
      'expected the NAME of an installed capsule, or --shipped for the one of the release'
    )
  }
  const powers =
    name === undefined
      ? []
      : await consent(input, context, {
          name,
          contract,
          powers: (await client.call('capsule.inspect', { name }, { signal })).ceiling.powers
        })
  const params = { contract, ...(name === undefined ? {} : { name, powers: [...powers] }) }
  const status = await client.call('capsule.provide', params, { signal })
  await printResult(context, status, formatTable([rowOf(status)]))
}

/** A provider sees what every capsule asks of it; with a power of the host it can do what the contract can. */
async function consent(
  input: CommandInput,
  context: CliContext,
  { name, contract, powers }: { name: string; contract: string; powers: readonly string[] }
): Promise<readonly string[]> {
  if (switchOption(input, 'yes')) return powers
  const what = powers.length === 0 ? '' : ` It is given the host's power ${powers.join(' and ')}.`
  const question = `${safeText(name)} will serve ${contract}: it sees and answers what every capsule asks of it.${what}`
  if (!context.stdinIsTerminal) {
    throw new CliError(
      'ERR_TERMINAL_NEEDED',
      `expected a terminal to ask on; with --yes it is not asked: ${question}`
    )
  }
  const answer = (await context.ask(`${question} Go on? [y/N] `))?.trim().toLowerCase()
  if (answer !== 'y' && answer !== 'yes') throw new CliError('ERR_CANCELLED', 'nothing was changed')
  return powers
}

function rowOf({ contract, lineage, powers, isShipped }: ProviderStatus): string[] {
  return [
    contract,
    lineage,
    powers.length === 0 ? '' : `powers: ${powers.join(', ')}`,
    isShipped ? '' : 'chosen'
  ]
}
