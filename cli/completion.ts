import tab, { script } from '@bomb.sh/tab'
import { COMMAND_GROUPS, COMMANDS, NODE_OPTIONS, type OptionSpec } from './command-table.ts'
import { CliError } from './errors.ts'

/** Shells that completion is made for. */
export const COMPLETION_SHELLS: readonly string[] = ['bash', 'zsh', 'fish']

/** Prints the script a shell loads. @throws CliError ERR_USAGE for another shell */
export function printCompletionScript(shell: string): void {
  if (!COMPLETION_SHELLS.includes(shell)) {
    throw new CliError(
      'ERR_USAGE',
      `expected one of ${COMPLETION_SHELLS.join(', ')}, got ${shell.slice(0, 40)}`
    )
  }
  script(shell, 'elastos', 'elastos')
}

/** Answers the shell: prints what may come after `words`. */
export function printCompletions(words: readonly string[]): void {
  for (const [name, summary] of Object.entries(COMMAND_GROUPS)) tab.command(name, summary)
  for (const spec of COMMANDS) {
    const command = tab.command(spec.path.join(' '), spec.summary)
    const options = [...(spec.options ?? []), ...(spec.needsNode === true ? NODE_OPTIONS : [])]
    for (const option of options) addOption(command, option)
    for (const argument of spec.args ?? []) command.argument(argument.replaceAll(/[<>[\].]/g, ''))
  }
  tab.parse([...words])
}

function addOption(command: ReturnType<typeof tab.command>, { flags, summary }: OptionSpec): void {
  const name = /--([a-z-]+)/.exec(flags)?.[1]
  if (name === undefined) return
  if (/[<[]/.test(flags)) command.option(name, summary, () => undefined)
  else command.option(name, summary)
}
