import type { CommandSpec } from '../command-spec.ts'

/** Commands about what capsules may do. */
export const GRANTS_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['grant', 'pending'],
    needsNode: true,
    summary: 'what capsules ask for and nobody has answered',
    example: 'elastos grant pending',
    load: async () => await import('../commands/grant-pending.ts')
  },
  {
    path: ['grant', 'answer'],
    needsNode: true,
    args: ['<id>'],
    options: [
      {
        flags: '--allow <scope>',
        summary: 'allow it once, for the session, for a day, or always',
        choices: ['once', 'session', 'day', 'always']
      },
      { flags: '--resource <uri>', summary: 'allow less: only this' },
      { flags: '--deny', summary: 'refuse it this time' },
      { flags: '--never', summary: 'refuse it and never ask again' }
    ],
    summary: 'answer what a capsule asks for; without an option it is shown and asked',
    example: 'elastos grant answer 1f3a --allow day',
    load: async () => await import('../commands/grant-answer.ts')
  }
]
