import type { CommandSpec } from '../command-spec.ts'

/** Commands about signed programs. */
export const CAPSULES_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['capsule', 'new'],
    args: ['<name>'],
    options: [{ flags: '--folder <path>', summary: 'where to make it (default: ./NAME)' }],
    summary: 'make a folder with a small capsule to start from',
    example: 'elastos capsule new hello',
    load: async () => await import('../commands/capsule-new.ts')
  },
  {
    path: ['capsule', 'build'],
    args: ['[folder]'],
    summary: 'compile a capsule and check its manifest',
    example: 'elastos capsule build ./hello',
    load: async () => await import('../commands/capsule-build.ts')
  },
  {
    path: ['capsule', 'publish'],
    needsNode: true,
    args: ['[folder]'],
    options: [{ flags: '--first', summary: 'this key never published before; needed once after a recovery' }],
    summary: 'sign it, add it, announce it; prints the line a friend pastes',
    example: 'elastos capsule publish ./hello',
    load: async () => await import('../commands/capsule-publish.ts')
  },
  {
    path: ['capsule', 'run'],
    needsNode: true,
    args: ['<target>', '[args...]'],
    options: [
      { flags: '--dev', summary: 'also run your own unsigned capsule from a folder' },
      {
        flags: '--raw',
        summary: 'let the capsule draw on your terminal: colours, cursor, and whatever else it sends'
      },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary:
      'verify a capsule whole, then run it in a sandbox: NAME, CID or folder; its own options after --',
    example: 'elastos capsule run did:key:z6Mk…/hello',
    load: async () => await import('../commands/capsule-run.ts')
  },
  {
    path: ['capsule', 'verify'],
    needsNode: true,
    args: ['<target>'],
    summary: 'fetch a capsule and check every byte and its signature, without running it',
    example: 'elastos capsule verify alice/hello',
    load: async () => await import('../commands/capsule-verify.ts')
  }
]
