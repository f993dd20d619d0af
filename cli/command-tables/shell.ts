import type { CommandSpec } from '../command-spec.ts'

/** Commands about this machine and its shell. */
export const SHELL_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['doctor'],
    summary: 'what this machine can do, and how to mend what it cannot',
    example: 'elastos doctor',
    load: async () => await import('../commands/doctor.ts')
  },
  {
    path: ['completion'],
    args: ['<shell>'],
    choices: ['bash', 'zsh', 'fish'],
    summary: 'completion for bash, zsh or fish',
    example: 'source <(elastos completion bash)',
    load: async () => await import('../commands/completion.ts')
  }
]
