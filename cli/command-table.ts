import type { CommandAction } from './context.ts'
import { FIELD_OPTION, NODE_OPTIONS, type OptionSpec } from './options.ts'

/** One command: all that help, completion, the parser and the documentation need. */
export interface CommandSpec {
  /** The words that name it, such as `['capsule', 'run']`. */
  readonly path: readonly string[]
  /** Arguments in commander's syntax, such as `<cid>` or `[room]`. */
  readonly args?: readonly string[]
  readonly options?: readonly OptionSpec[]
  /** Values of its argument, where they are few: what completion offers. */
  readonly choices?: readonly string[]
  readonly summary: string
  readonly example: string
  /** It talks to a node and starts one when none runs, so it takes the options of `node start` too. */
  readonly needsNode?: boolean
  /** Loads the code that runs it; nothing of a command is loaded before it runs. */
  readonly load: () => Promise<{ run: CommandAction }>
}

/** Groups of commands and what each is about. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  id: 'who you are: recovery words, device key, did',
  node: 'the node of this device',
  seed: 'a seed: a node that introduces others',
  pin: 'what this device keeps',
  capsule: 'signed programs: make, publish, run',
  name: 'mutable names',
  contact: 'your own address book of publishers',
  deny: 'content and peers this node will not deal with'
}

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: ['node', 'start'],
    options: [
      ...NODE_OPTIONS,
      { flags: '--detach', summary: 'return when it listens; it goes on in the background' }
    ],
    summary: 'start the node and run until Ctrl-C',
    example: 'elastos node start --bootstrap http://127.0.0.1:4480',
    load: async () => await import('./commands/node-start.ts')
  },
  {
    path: ['node', 'status'],
    options: [FIELD_OPTION],
    summary: 'what the running node is and does',
    example: 'elastos node status --field bootstrapUrl',
    load: async () => await import('./commands/node-status.ts')
  },
  {
    path: ['node', 'peers'],
    summary: 'who is connected',
    example: 'elastos node peers',
    load: async () => await import('./commands/node-peers.ts')
  },
  {
    path: ['node', 'connect'],
    needsNode: true,
    args: ['<address>'],
    summary: 'connect to a peer you were told of',
    example: 'elastos node connect /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo…',
    load: async () => await import('./commands/node-connect.ts')
  },
  {
    path: ['node', 'stop'],
    summary: 'stop the running node',
    example: 'elastos node stop',
    load: async () => await import('./commands/node-stop.ts')
  },
  {
    path: ['node', 'logs'],
    options: [
      { flags: '--lines <count>', summary: 'how many of the last lines (default 100)' },
      { flags: '--follow', summary: 'go on with new lines until Ctrl-C' }
    ],
    summary: "the node's log",
    example: 'elastos node logs --follow',
    load: async () => await import('./commands/node-logs.ts')
  },
  {
    path: ['seed', 'start'],
    options: [
      ...NODE_OPTIONS,
      { flags: '--http <host:port>', summary: 'where the bootstrap record is served (default: port 4480)' },
      {
        flags: '--announce <multiaddr>',
        summary: 'an address to tell others instead of those bound',
        isList: true
      },
      {
        flags: '--metrics-port <port>',
        summary: 'port of /metrics on loopback (default: 4481; 0: any free one)'
      },
      {
        flags: '--dev',
        summary: 'allow --reach local and take any free ports, to try things on one machine'
      },
      { flags: '--detach', summary: 'return when it listens; it goes on in the background' }
    ],
    summary: 'start a seed: DHT server, bootstrap record, relay with limits, metrics',
    example: 'elastos seed start --reach public --announce /dns4/seed.example/tcp/4001',
    load: async () => await import('./commands/seed-start.ts')
  },
  {
    path: ['id', 'create'],
    summary: 'make an identity for this device',
    example: 'elastos id create',
    load: async () => await import('./commands/id-create.ts')
  },
  {
    path: ['id', 'show'],
    options: [FIELD_OPTION],
    summary: 'your did and this device',
    example: 'elastos id show --field personDid',
    load: async () => await import('./commands/id-show.ts')
  },
  {
    path: ['id', 'words'],
    summary: 'show the 24 recovery words once, and check that you wrote them down',
    example: 'elastos id words',
    load: async () => await import('./commands/id-words.ts')
  },
  {
    path: ['id', 'lock'],
    options: [
      { flags: '--device', summary: 'the device key too: then a node cannot start without the passphrase' }
    ],
    summary: 'put the words and the key that publishes under a passphrase',
    example: 'elastos id lock',
    load: async () => await import('./commands/id-lock.ts')
  },
  {
    path: ['id', 'unlock'],
    summary: 'take the passphrase off the keys again',
    example: 'elastos id unlock',
    load: async () => await import('./commands/id-unlock.ts')
  },
  {
    path: ['id', 'export'],
    args: ['<file>'],
    summary: 'write the identity to a new file that only you can read',
    example: 'elastos id export ./my-identity.elastos',
    load: async () => await import('./commands/id-export.ts')
  },
  {
    path: ['id', 'recover'],
    options: [{ flags: '--from <file>', summary: "from a file of 'elastos id export' instead of words" }],
    summary: 'make this device yours from the 24 recovery words (asked, or one line of standard input)',
    example: 'elastos id recover < words.txt',
    load: async () => await import('./commands/id-recover.ts')
  },
  {
    path: ['add'],
    needsNode: true,
    args: ['<path>'],
    options: [
      { flags: '--private', summary: 'keep it here and serve it to nobody' },
      { flags: '--hidden', summary: 'also files whose name begins with a dot' },
      { flags: '--name <name>', summary: 'a name for the pin' }
    ],
    summary: 'add a file or folder; anyone with its CID can fetch it unless --private',
    example: 'elastos add ./photos',
    load: async () => await import('./commands/add.ts')
  },
  {
    path: ['get'],
    needsNode: true,
    args: ['<target>'],
    options: [
      { flags: '-o, --output <path>', summary: 'where to write it (default: its CID in this folder)' },
      { flags: '--force', summary: 'replace what is there' },
      { flags: '--deadline <seconds>', summary: 'give up when nothing has arrived for so long (default 60)' }
    ],
    summary: 'fetch a file or folder by CID from whichever peer has it',
    example: 'elastos get bafybei… -o ./photos',
    load: async () => await import('./commands/get.ts')
  },
  {
    path: ['ls'],
    needsNode: true,
    args: ['[target]'],
    summary: 'what is in a folder, or without one what this device keeps',
    example: 'elastos ls bafybei…',
    load: async () => await import('./commands/ls.ts')
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
    example: 'elastos pin add bafybei…',
    load: async () => await import('./commands/pin-add.ts')
  },
  {
    path: ['pin', 'rm'],
    needsNode: true,
    args: ['<target>'],
    summary: 'stop keeping and serving it',
    example: 'elastos pin rm bafybei…',
    load: async () => await import('./commands/pin-rm.ts')
  },
  {
    path: ['pin', 'ls'],
    needsNode: true,
    summary: 'what this device keeps',
    example: 'elastos pin ls',
    load: async () => await import('./commands/pin-ls.ts')
  },
  {
    path: ['capsule', 'new'],
    args: ['<name>'],
    options: [{ flags: '--folder <path>', summary: 'where to make it (default: ./NAME)' }],
    summary: 'make a folder with a small capsule to start from',
    example: 'elastos capsule new hello',
    load: async () => await import('./commands/capsule-new.ts')
  },
  {
    path: ['capsule', 'build'],
    args: ['[folder]'],
    summary: 'compile a capsule and check its manifest',
    example: 'elastos capsule build ./hello',
    load: async () => await import('./commands/capsule-build.ts')
  },
  {
    path: ['capsule', 'publish'],
    needsNode: true,
    args: ['[folder]'],
    options: [{ flags: '--first', summary: 'this key never published before; needed once after a recovery' }],
    summary: 'sign it, add it, announce it; prints the line a friend pastes',
    example: 'elastos capsule publish ./hello',
    load: async () => await import('./commands/capsule-publish.ts')
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
    load: async () => await import('./commands/capsule-run.ts')
  },
  {
    path: ['capsule', 'verify'],
    needsNode: true,
    args: ['<target>'],
    summary: 'fetch a capsule and check every byte and its signature, without running it',
    example: 'elastos capsule verify alice/hello',
    load: async () => await import('./commands/capsule-verify.ts')
  },
  {
    path: ['name', 'resolve'],
    needsNode: true,
    args: ['<name>'],
    summary: 'what a did, an IPNS name, or did/kind/name points to now',
    example: 'elastos name resolve did:key:z6Mk…',
    load: async () => await import('./commands/name-resolve.ts')
  },
  {
    path: ['contact', 'add'],
    needsNode: true,
    args: ['<petname>', '<did>'],
    summary: 'give a did a name of your own',
    example: 'elastos contact add alice did:key:z6Mk…',
    load: async () => await import('./commands/contact-add.ts')
  },
  {
    path: ['contact', 'list'],
    needsNode: true,
    summary: 'your address book',
    example: 'elastos contact list',
    load: async () => await import('./commands/contact-list.ts')
  },
  {
    path: ['contact', 'remove'],
    needsNode: true,
    args: ['<petname>'],
    summary: 'forget a name',
    example: 'elastos contact remove alice',
    load: async () => await import('./commands/contact-remove.ts')
  },
  {
    path: ['chat'],
    needsNode: true,
    args: ['[room]'],
    options: [
      { flags: '--nick <name>', summary: 'what others see you as' },
      { flags: '--line', summary: 'plain lines, even on a terminal' }
    ],
    summary: 'talk in a room; nobody has to introduce you',
    example: 'elastos chat garden --nick ada',
    load: async () => await import('./commands/chat.ts')
  },
  {
    path: ['deny', 'add'],
    args: ['<subject>'],
    summary: 'refuse a CID or a did from now on',
    example: 'elastos deny add bafybei…',
    load: async () => await import('./commands/deny-add.ts')
  },
  {
    path: ['deny', 'remove'],
    args: ['<subject>'],
    summary: 'stop refusing it',
    example: 'elastos deny remove bafybei…',
    load: async () => await import('./commands/deny-remove.ts')
  },
  {
    path: ['deny', 'list'],
    summary: 'what this node refuses',
    example: 'elastos deny list',
    load: async () => await import('./commands/deny-list.ts')
  },
  {
    path: ['doctor'],
    summary: 'what this machine can do, and how to mend what it cannot',
    example: 'elastos doctor',
    load: async () => await import('./commands/doctor.ts')
  },
  {
    path: ['completion'],
    args: ['<shell>'],
    choices: ['bash', 'zsh', 'fish'],
    summary: 'completion for bash, zsh or fish',
    example: 'source <(elastos completion bash)',
    load: async () => await import('./commands/completion.ts')
  }
]
