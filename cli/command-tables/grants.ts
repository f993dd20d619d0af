import type { CommandSpec } from '../command-spec.ts'

/** Commands about what capsules may do. */
export const GRANTS_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['grant', 'list'],
    needsNode: true,
    args: ['[capsule]'],
    options: [{ flags: '--all', summary: 'also what was revoked, used up or has expired' }],
    summary: 'what capsules may do, and what was denied for good',
    example: 'elastos grant list hello',
    load: async () => await import('../commands/grant-list.ts')
  },
  {
    path: ['grant', 'revoke'],
    needsNode: true,
    args: ['<grant>'],
    summary: 'take back one grant by the end of its token, or all of a capsule by its name',
    example: 'elastos grant revoke hello',
    load: async () => await import('../commands/grant-revoke.ts')
  },
  {
    path: ['grant', 'revoke-all'],
    needsNode: true,
    summary: 'take back everything, from every capsule, at once',
    example: 'elastos grant revoke-all',
    load: async () => await import('../commands/grant-revoke-all.ts')
  },
  {
    path: ['grant', 'forget'],
    needsNode: true,
    args: ['<capsule>'],
    summary: 'forget what was denied to a capsule for good: it may ask again',
    example: 'elastos grant forget hello',
    load: async () => await import('../commands/grant-forget.ts')
  },
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
  },
  {
    path: ['why'],
    needsNode: true,
    args: ['<capsule>', '<command>', '<resource>'],
    summary:
      'why a capsule may or may not do something: every check, the token, who decided; 4 when it may not',
    example: 'elastos why hello localhost/read localhost://notes/a.txt',
    load: async () => await import('../commands/why.ts')
  },
  {
    path: ['audit'],
    needsNode: true,
    options: [
      { flags: '--follow', summary: 'go on with what comes' },
      { flags: '--lines <count>', summary: 'how many of the newest entries (default 50)' },
      { flags: '--from <number>', summary: 'from this entry on instead' }
    ],
    summary: 'every decision about capsules, as it was made',
    example: 'elastos audit --follow',
    load: async () => await import('../commands/audit.ts')
  },
  {
    path: ['audit', 'replay'],
    needsNode: true,
    summary: 'derive every verdict anew from the log; 4 when one does not follow',
    example: 'elastos audit replay',
    load: async () => await import('../commands/audit-replay.ts')
  },
  {
    path: ['audit', 'verify'],
    needsNode: true,
    summary: 'check that no entry was changed and none is missing; 4 when one was',
    example: 'elastos audit verify',
    load: async () => await import('../commands/audit-verify.ts')
  }
]
