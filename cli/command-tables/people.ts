import type { CommandSpec } from '../command-spec.ts'

/** Commands about names, people and rooms. */
export const PEOPLE_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['name', 'resolve'],
    needsNode: true,
    args: ['<name>'],
    summary: 'what a did, an IPNS name, a domain, or did/kind/name points to now',
    example: 'elastos name resolve did:key:z6Mk…',
    load: async () => await import('../commands/name-resolve.ts')
  },
  {
    path: ['name', 'follow'],
    needsNode: true,
    args: ['<name>'],
    options: [
      { flags: '--every <seconds>', summary: 'how often to look (default 30)' },
      { flags: '--count <number>', summary: 'end after so many values' }
    ],
    summary: 'what a name points to, again whenever it changes',
    example: 'elastos name follow example.org',
    load: async () => await import('../commands/name-follow.ts')
  },
  {
    path: ['contact', 'add'],
    needsNode: true,
    args: ['<petname>', '<did>'],
    summary: 'give a did a name of your own',
    example: 'elastos contact add alice did:key:z6Mk…',
    load: async () => await import('../commands/contact-add.ts')
  },
  {
    path: ['contact', 'list'],
    needsNode: true,
    summary: 'your address book',
    example: 'elastos contact list',
    load: async () => await import('../commands/contact-list.ts')
  },
  {
    path: ['contact', 'remove'],
    needsNode: true,
    args: ['<petname>'],
    summary: 'forget a name',
    example: 'elastos contact remove alice',
    load: async () => await import('../commands/contact-remove.ts')
  },
  {
    path: ['chat'],
    needsNode: true,
    args: ['[room]'],
    options: [
      { flags: '--nick <name>', summary: 'what others see you as' },
      { flags: '--line', summary: 'plain lines, even on a terminal' },
      { flags: '--private', summary: 'the rooms of this chat are private ones: see elastos room' }
    ],
    summary: 'talk in a room; nobody has to introduce you',
    example: 'elastos chat garden --nick ada',
    load: async () => await import('../commands/chat.ts')
  },
  {
    path: ['room', 'create'],
    needsNode: true,
    args: ['<name>'],
    summary: 'open a private room, end to end encrypted, for those you invite',
    example: 'elastos room create plans',
    load: async () => await import('../commands/room-create.ts')
  },
  {
    path: ['room', 'invite'],
    needsNode: true,
    args: ['<name>', '<person>'],
    summary: 'take a person, by petname or did, into a private room with all their devices',
    example: 'elastos room invite plans alice',
    load: async () => await import('../commands/room-invite.ts')
  },
  {
    path: ['room', 'remove'],
    needsNode: true,
    args: ['<name>', '<person>'],
    summary: 'take a person out of a private room you founded; its keys change',
    example: 'elastos room remove plans alice',
    load: async () => await import('../commands/room-remove.ts')
  },
  {
    path: ['room', 'leave'],
    needsNode: true,
    args: ['<name>'],
    summary: 'leave a private room; the others change its keys',
    example: 'elastos room leave plans',
    load: async () => await import('../commands/room-leave.ts')
  },
  {
    path: ['room', 'list'],
    needsNode: true,
    summary: 'your private rooms and direct conversations',
    example: 'elastos room list',
    load: async () => await import('../commands/room-list.ts')
  },
  {
    path: ['room', 'moderate'],
    needsNode: true,
    args: ['<room>', '<action>', '[subject]'],
    options: [
      {
        flags: '--for <duration>',
        summary:
          'with mute: only for so long, such as 90s, 10m, 2h or 3d (default: as long as your list holds)'
      }
    ],
    summary:
      "whose lists hide words in an open room (list, follow, unfollow), or your own list (mute, unmute, appoint, dismiss a person; remove, restore a message by the id that 'chat --json' shows)",
    example: 'elastos room moderate garden follow alice',
    load: async () => await import('../commands/room-moderate.ts')
  },
  {
    path: ['deny', 'add'],
    args: ['<subject>'],
    summary: 'refuse a CID or a did from now on',
    example: 'elastos deny add bafybei…',
    load: async () => await import('../commands/deny-add.ts')
  },
  {
    path: ['deny', 'remove'],
    args: ['<subject>'],
    summary: 'stop refusing it',
    example: 'elastos deny remove bafybei…',
    load: async () => await import('../commands/deny-remove.ts')
  },
  {
    path: ['deny', 'list'],
    summary: 'what this node refuses',
    example: 'elastos deny list',
    load: async () => await import('../commands/deny-list.ts')
  }
]
