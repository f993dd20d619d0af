import type { CommandSpec } from '../command-spec.ts'

/** Commands about signed programs. */
export const CAPSULES_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['capsule', 'new'],
    args: ['<name>'],
    options: [
      { flags: '--folder <path>', summary: 'where to make it (default: ./NAME)' },
      {
        flags: '--lang <language>',
        summary: 'typescript (default), assemblyscript, c, rust or go; the last three need a compiler here'
      },
      {
        flags: '--type <type>',
        summary: 'wasm (default), or microvm: a Linux program in a machine of its own',
        choices: ['wasm', 'microvm']
      }
    ],
    summary: 'make a folder with a small capsule to start from',
    example: 'elastos capsule new hello',
    load: async () => await import('../commands/capsule-new.ts')
  },
  {
    path: ['capsule', 'build'],
    args: ['[folder]'],
    summary: 'compile a capsule, or make its root image, and check its manifest',
    example: 'elastos capsule build ./hello',
    load: async () => await import('../commands/capsule-build.ts')
  },
  {
    path: ['capsule', 'dev'],
    needsNode: true,
    args: ['[folder]', '[args...]'],
    options: [
      {
        flags: '--raw',
        summary: 'let the capsule draw on your terminal: colours, cursor, and whatever else it sends'
      }
    ],
    summary: 'build and run your capsule, and again whenever its sources change',
    example: 'elastos capsule dev ./hello',
    load: async () => await import('../commands/capsule-dev.ts')
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
      {
        flags: '--detach',
        summary:
          "leave it running and return; what it writes goes to its log, with --raw to a terminal of its own ('attach')"
      },
      { flags: '--dev', summary: 'also run your own unsigned capsule from a folder' },
      {
        flags: '--substrate <substrate>',
        choices: ['wasm', 'microvm'],
        summary: 'run a module in a machine of its own too (microvm): a second wall where KVM holds it'
      },
      {
        flags: '--allow-emulated',
        summary: "also a stranger's microVM where this machine can only emulate one, which is no wall"
      },
      {
        flags: '--raw',
        summary: 'let the capsule draw on your terminal: colours, cursor, and whatever else it sends'
      },
      {
        flags: '--record <trace>',
        summary: 'keep all the capsule gets in a new file, to replay the run from'
      },
      { flags: '--record-input', summary: 'with --record: also what you type, which may be a secret' },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary: 'verify a capsule whole, then run it in a sandbox: an installed NAME, DID/NAME, CID or folder',
    example: 'elastos capsule run did:key:z6Mk…/hello',
    load: async () => await import('../commands/capsule-run.ts')
  },
  {
    path: ['capsule', 'attach'],
    needsNode: true,
    args: ['<run>'],
    options: [{ flags: '--watch', summary: 'only look: type nothing, answer nothing' }],
    summary: 'come to the terminal of a capsule that runs, by its number or name; Ctrl-] leaves it running',
    example: 'elastos capsule attach 3',
    load: async () => await import('../commands/capsule-attach.ts')
  },
  {
    path: ['capsule', 'replay'],
    needsNode: true,
    args: ['<trace>'],
    options: [
      { flags: '--raw', summary: 'let the capsule draw on your terminal, as it did when it was recorded' }
    ],
    summary: 'run a recorded run again, bit for bit, with nothing of this device in its reach',
    example: 'elastos capsule replay ./hello.trace',
    load: async () => await import('../commands/capsule-replay.ts')
  },
  {
    path: ['capsule', 'verify'],
    needsNode: true,
    args: ['<target>'],
    summary: 'fetch a capsule and check every byte and its signature, without running it',
    example: 'elastos capsule verify alice/hello',
    load: async () => await import('../commands/capsule-verify.ts')
  },
  {
    path: ['capsule', 'tools'],
    needsNode: true,
    args: ['<target>'],
    options: [
      { flags: '--dev', summary: 'also your own unsigned capsule from a folder' },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary: 'what a capsule that serves tools (Model Context Protocol) can do',
    example: 'elastos capsule tools ./calculator --dev',
    load: async () => await import('../commands/capsule-tools.ts')
  },
  {
    path: ['capsule', 'call'],
    needsNode: true,
    args: ['<target>', '<tool>', '[json]'],
    options: [
      { flags: '--dev', summary: 'also your own unsigned capsule from a folder' },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary: 'have a capsule that serves tools do something, and show what it answers',
    example: `elastos capsule call ./calculator add '{"a":1,"b":2}' --dev`,
    load: async () => await import('../commands/capsule-call.ts')
  },
  {
    path: ['capsule', 'install'],
    needsNode: true,
    args: ['<target>'],
    options: [
      { flags: '--as <name>', summary: 'what to call it here (default: its own name)' },
      { flags: '--yes', summary: 'do not ask: what it may ask for is still asked when it runs' },
      { flags: '--dry-run', summary: 'only show what it may ask for' },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary: 'verify a capsule, show all it may ever ask for, and keep it',
    example: 'elastos capsule install did:key:z6Mk…/hello',
    load: async () => await import('../commands/capsule-install.ts')
  },
  {
    path: ['capsule', 'provide'],
    needsNode: true,
    args: ['[contract]', '[name]'],
    options: [
      { flags: '--shipped', summary: 'have the capsule of this release serve it again' },
      { flags: '--yes', summary: 'do not ask' }
    ],
    summary: 'who serves a contract to your capsules, or have an installed capsule serve it',
    example: 'elastos capsule provide localhost@1 my-files',
    load: async () => await import('../commands/capsule-provide.ts')
  },
  {
    path: ['capsule', 'list'],
    needsNode: true,
    summary: 'the capsules that are installed',
    example: 'elastos capsule list',
    load: async () => await import('../commands/capsule-list.ts')
  },
  {
    path: ['capsule', 'inspect'],
    needsNode: true,
    args: ['<name>'],
    summary: 'who signed it, its versions, its limits, what it keeps and may ask for',
    example: 'elastos capsule inspect hello',
    load: async () => await import('../commands/capsule-inspect.ts')
  },
  {
    path: ['capsule', 'update'],
    needsNode: true,
    args: ['<name>'],
    options: [
      { flags: '--yes', summary: 'do not ask: what it may ask for is still asked when it runs' },
      { flags: '--dry-run', summary: 'only show what it may ask for' },
      {
        flags: '--deadline <seconds>',
        summary: 'give up when it could not be found for so long (default 60)'
      }
    ],
    summary: 'fetch its latest version, show what is new in what it may ask for; its data stays',
    example: 'elastos capsule update hello',
    load: async () => await import('../commands/capsule-update.ts')
  },
  {
    path: ['capsule', 'rollback'],
    needsNode: true,
    args: ['<name>'],
    options: [{ flags: '--to <version>', summary: 'a version that is kept (default: the one before)' }],
    summary: 'go back to the version before, with the data it had then',
    example: 'elastos capsule rollback hello',
    load: async () => await import('../commands/capsule-rollback.ts')
  },
  {
    path: ['capsule', 'remove'],
    needsNode: true,
    args: ['<name>'],
    options: [{ flags: '--with-data', summary: 'also all it kept on this device' }],
    summary: 'forget a capsule and what it was granted; its data stays',
    example: 'elastos capsule remove hello',
    load: async () => await import('../commands/capsule-remove.ts')
  },
  {
    path: ['capsule', 'top'],
    needsNode: true,
    summary: 'the capsules that run, and what they use',
    example: 'elastos capsule top',
    load: async () => await import('../commands/capsule-top.ts')
  },
  {
    path: ['capsule', 'stop'],
    needsNode: true,
    args: ['[name]'],
    options: [{ flags: '--all', summary: 'every capsule that runs' }],
    summary: 'end what runs of a capsule, at once',
    example: 'elastos capsule stop hello',
    load: async () => await import('../commands/capsule-stop.ts')
  },
  {
    path: ['capsule', 'logs'],
    needsNode: true,
    args: ['<name>'],
    options: [
      { flags: '--lines <count>', summary: 'how many of its last lines (default 50)' },
      { flags: '--follow', summary: 'go on with what it writes' }
    ],
    summary: 'what it wrote while nobody watched, and how it started and ended',
    example: 'elastos capsule logs hello --follow',
    load: async () => await import('../commands/capsule-logs.ts')
  }
]
