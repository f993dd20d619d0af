import type { CommandSpec } from './command-spec.ts'
import { COMMAND_GROUPS, COMMANDS } from './command-table.ts'
import { CliError } from './errors.ts'
import { GLOBAL_OPTIONS, NODE_OPTIONS, type OptionSpec } from './options.ts'

/**
 * Needs nothing but bash 3.2, where the usual scripts need the package bash-completion. Words are handed over as
 * they are, never evaluated.
 */
const BASH_SCRIPT = `# completion of elastos for bash: source <(elastos completion bash)
_elastos_complete() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(elastos complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _elastos_complete elastos
`

const ZSH_SCRIPT = `#compdef elastos
# completion of elastos for zsh: source <(elastos completion zsh)
_elastos() {
  local line value summary last
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :*) last=$line ;;
      *)
        value=\${line%%$'\t'*}
        summary=\${line#*$'\t'}
        candidates+=("\${value//:/\\\\:}:$summary")
        ;;
    esac
  done < <(elastos complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#candidates )); then _describe elastos candidates; elif [[ $last == :files ]]; then _files; fi
}
compdef _elastos elastos
`

const FISH_SCRIPT = `# completion of elastos for fish: elastos completion fish | source
function __elastos_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer (elastos complete -- $words[2..-1] 2>/dev/null)
  string match -v -r '^:' -- $answer
  contains -- :files $answer; and __fish_complete_path (commandline -ct)
end
complete -c elastos -f -a '(__elastos_complete)'
`

/** The script a shell loads. @throws CliError ERR_USAGE for another shell */
export function completionScript(shell: string): string {
  switch (shell) {
    case 'bash':
      return BASH_SCRIPT
    case 'zsh':
      return ZSH_SCRIPT
    case 'fish':
      return FISH_SCRIPT
    default:
      throw new CliError('ERR_USAGE', `expected bash, zsh or fish, got ${shell.slice(0, 40)}`)
  }
}

/** What may come next on a command line. */
export interface Completions {
  readonly candidates: readonly { readonly value: string; readonly summary: string }[]
  /** Nothing is known better than the name of a file. */
  readonly mayBeFile: boolean
}

/** What may stand in place of the last of `words`, which is empty when nothing of it is typed yet. */
export function completionsOf(words: readonly string[]): Completions {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const { names, spec } = commandOf(before)
  const options = optionsOf(spec)
  const pending = options.find((option) => takesValue(option) && nameOf(option) === before.at(-1))
  if (pending !== undefined) return valuesOf(pending.choices, current)
  if (current.startsWith('-')) {
    const all = [...options, { flags: '--help', summary: 'help for it' }]
    return matching(
      all.map((option) => ({ value: nameOf(option), summary: option.summary })),
      current
    )
  }
  if (spec === undefined) return matching(nextNames(names), current)
  return spec.args === undefined ? { candidates: [], mayBeFile: false } : valuesOf(spec.choices, current)
}

/** The answer to the shell: a candidate a line with its summary, then `:files` when a file's name may follow. */
export function formatCompletions({ candidates, mayBeFile }: Completions): string {
  const lines = candidates.map(({ value, summary }) => `${value}\t${summary}`)
  return [...lines, mayBeFile ? ':files' : ':', ''].join('\n')
}

function commandOf(words: readonly string[]): { names: string[]; spec: CommandSpec | undefined } {
  const names: string[] = []
  const all = [...GLOBAL_OPTIONS, ...NODE_OPTIONS, ...COMMANDS.flatMap(({ options = [] }) => options)]
  words.forEach((word, index) => {
    const previous = words[index - 1]
    const isValue = all.some((option) => takesValue(option) && nameOf(option) === previous)
    if (!word.startsWith('-') && !isValue) names.push(word)
  })
  const spec = COMMANDS.find(({ path }) => path.every((word, index) => names[index] === word))
  return { names, spec }
}

function optionsOf(spec: CommandSpec | undefined): OptionSpec[] {
  if (spec === undefined) return [...GLOBAL_OPTIONS]
  return [...(spec.options ?? []), ...(spec.needsNode === true ? NODE_OPTIONS : []), ...GLOBAL_OPTIONS]
}

function nextNames(names: readonly string[]): { value: string; summary: string }[] {
  const next = new Map<string, string>()
  for (const { path, summary } of COMMANDS) {
    const value = path[names.length]
    if (value === undefined || !names.every((name, index) => path[index] === name)) continue
    const isGroup = path.length > names.length + 1
    next.set(value, isGroup ? (COMMAND_GROUPS[value] ?? '') : summary)
  }
  return [...next].map(([value, summary]) => ({ value, summary }))
}

function valuesOf(choices: readonly string[] | undefined, current: string): Completions {
  if (choices === undefined) return { candidates: [], mayBeFile: true }
  return matching(
    choices.map((value) => ({ value, summary: '' })),
    current
  )
}

function matching(candidates: readonly { value: string; summary: string }[], current: string): Completions {
  return { candidates: candidates.filter(({ value }) => value.startsWith(current)), mayBeFile: false }
}

function nameOf({ flags }: OptionSpec): string {
  return /--[a-z-]+/.exec(flags)?.[0] ?? flags
}

function takesValue({ flags }: OptionSpec): boolean {
  return /[<[]/.test(flags)
}
