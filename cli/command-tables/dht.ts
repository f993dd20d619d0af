import type { CommandSpec } from '../command-spec.ts'

/** Commands that look into the DHT. */
export const DHT_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['dht', 'provide'],
    needsNode: true,
    args: ['[cid]'],
    options: [{ flags: '--status', summary: 'how announcing again by itself goes' }],
    summary: 'announce a public pin now, or see how announcing goes',
    example: 'elastos dht provide --status',
    load: async () => await import('../commands/dht-provide.ts')
  },
  {
    path: ['dht', 'find-providers'],
    needsNode: true,
    args: ['<cid>'],
    options: [{ flags: '--count <number>', summary: 'end after so many (default 20)' }],
    summary: 'who says that they have a content, and how far to trust that',
    example: 'elastos dht find-providers bafybei…',
    load: async () => await import('../commands/dht-find-providers.ts')
  },
  {
    path: ['dht', 'find-peer'],
    needsNode: true,
    args: ['<peer>'],
    summary: 'where a node is, by its did or PeerId',
    example: 'elastos dht find-peer did:key:z6Mk…',
    load: async () => await import('../commands/dht-find-peer.ts')
  }
]
