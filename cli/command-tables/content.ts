import type { CommandSpec } from '../command-spec.ts'

/** Commands about files and what this device keeps. */
export const CONTENT_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['add'],
    needsNode: true,
    args: ['<path>'],
    options: [
      { flags: '--private', summary: 'keep it here and serve it to nobody' },
      {
        flags: '--sealed',
        summary: 'encrypt it: others can keep and serve it, and only who has the link it prints can read it'
      },
      { flags: '--hidden', summary: 'also files whose name begins with a dot' },
      { flags: '--name <name>', summary: 'a name for the pin' }
    ],
    summary:
      'add a file or folder; anyone with its CID can fetch it unless --private, and read it unless --sealed',
    example: 'elastos add ./photos',
    load: async () => await import('../commands/add.ts')
  },
  {
    path: ['get'],
    needsNode: true,
    args: ['<target>'],
    options: [
      { flags: '-o, --output <path>', summary: 'where to write it (default: its CID in this folder)' },
      {
        flags: '--range <first-last>',
        summary: 'only these bytes of a file, counted from 0; `first-` to its end'
      },
      { flags: '--force', summary: 'replace what is there' },
      { flags: '--deadline <seconds>', summary: 'give up when nothing has arrived for so long (default 60)' }
    ],
    summary: 'fetch a file or folder by CID, or by the link of what is sealed, from whichever peer has it',
    example: 'elastos get bafybei… -o ./photos',
    load: async () => await import('../commands/get.ts')
  },
  {
    path: ['ls'],
    needsNode: true,
    args: ['[target]'],
    summary: 'what is in a folder, or without one what this device keeps',
    example: 'elastos ls bafybei…',
    load: async () => await import('../commands/ls.ts')
  },
  {
    path: ['pin', 'add'],
    needsNode: true,
    args: ['<target>'],
    options: [
      { flags: '--private', summary: 'keep it, but serve it to nobody' },
      { flags: '--name <name>', summary: 'a name for the pin' }
    ],
    summary: 'fetch, keep and serve it to others',
    example: 'elastos pin add bafybei… --name photos',
    load: async () => await import('../commands/pin-add.ts')
  },
  {
    path: ['pin', 'rm'],
    needsNode: true,
    args: ['<target>'],
    summary: 'stop keeping and serving it; `elastos repo gc` then frees the disk',
    example: 'elastos pin rm bafybei…',
    load: async () => await import('../commands/pin-rm.ts')
  },
  {
    path: ['pin', 'ls'],
    needsNode: true,
    summary: 'what this device keeps',
    example: 'elastos pin ls',
    load: async () => await import('../commands/pin-ls.ts')
  },
  {
    path: ['pin', 'list'],
    needsNode: true,
    summary: 'the same as `pin ls`',
    example: 'elastos pin list --json',
    load: async () => await import('../commands/pin-ls.ts')
  }
]
