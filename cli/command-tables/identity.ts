import type { CommandSpec } from '../command-spec.ts'
import { FIELD_OPTION } from '../options.ts'

/** Commands about who the owner is. */
export const IDENTITY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['id', 'create'],
    summary: 'make an identity for this device',
    example: 'elastos id create',
    load: async () => await import('../commands/id-create.ts')
  },
  {
    path: ['id', 'show'],
    options: [FIELD_OPTION],
    summary: 'your did and this device',
    example: 'elastos id show --field personDid',
    load: async () => await import('../commands/id-show.ts')
  },
  {
    path: ['id', 'words'],
    summary: 'show the 24 recovery words once, and check that you wrote them down',
    example: 'elastos id words',
    load: async () => await import('../commands/id-words.ts')
  },
  {
    path: ['id', 'lock'],
    options: [
      { flags: '--device', summary: 'the device key too: then a node cannot start without the passphrase' }
    ],
    summary: 'put the words and the key that publishes under a passphrase',
    example: 'elastos id lock',
    load: async () => await import('../commands/id-lock.ts')
  },
  {
    path: ['id', 'unlock'],
    summary: 'take the passphrase off the keys again',
    example: 'elastos id unlock',
    load: async () => await import('../commands/id-unlock.ts')
  },
  {
    path: ['id', 'export'],
    args: ['<file>'],
    summary: 'write the identity to a new file that only you can read',
    example: 'elastos id export ./my-identity.elastos',
    load: async () => await import('../commands/id-export.ts')
  },
  {
    path: ['id', 'recover'],
    options: [{ flags: '--from <file>', summary: "from a file of 'elastos id export' instead of words" }],
    summary: 'make this device yours from the 24 recovery words (asked, or one line of standard input)',
    example: 'elastos id recover < words.txt',
    load: async () => await import('../commands/id-recover.ts')
  }
]
