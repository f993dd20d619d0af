import type { CommandSpec } from '../command-spec.ts'

/** Commands about the guest of microVMs. */
export const GUESTS_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['guest', 'build'],
    args: ['<folder>'],
    options: [
      {
        flags: '--arch <arch>',
        summary: 'x86_64 or aarch64 (default: of this machine)',
        choices: ['x86_64', 'aarch64']
      }
    ],
    summary: "build a kernel and first process of Debian's packages and our sources; prints the CID",
    example: 'elastos guest build ./guest',
    load: async () => await import('../commands/guest-build.ts')
  },
  {
    path: ['guest', 'publish'],
    needsNode: true,
    args: ['<folder>'],
    options: [{ flags: '--first', summary: 'this key never published before; needed once after a recovery' }],
    summary: 'sign a guest, add it, announce it; prints the line a friend pastes',
    example: 'elastos guest publish ./guest',
    load: async () => await import('../commands/guest-publish.ts')
  },
  {
    path: ['guest', 'use'],
    needsNode: true,
    args: ['<target>'],
    options: [
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary:
      'fetch a guest by DID, petname, CID or folder, verify it, and have microVMs start it from now on',
    example: 'elastos guest use did:key:z6Mk…',
    load: async () => await import('../commands/guest-use.ts')
  }
]
