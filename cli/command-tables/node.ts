import type { CommandSpec } from '../command-spec.ts'
import { FIELD_OPTION, NODE_OPTIONS } from '../options.ts'

/** Commands about the node of this device and about seeds. */
export const NODE_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['node', 'start'],
    options: [
      ...NODE_OPTIONS,
      { flags: '--detach', summary: 'return when it listens; it goes on in the background' }
    ],
    summary: 'start the node and run until Ctrl-C',
    example: 'elastos node start --bootstrap http://127.0.0.1:4480',
    load: async () => await import('../commands/node-start.ts')
  },
  {
    path: ['node', 'status'],
    options: [FIELD_OPTION],
    summary: 'what the running node is and does',
    example: 'elastos node status --field bootstrapUrl',
    load: async () => await import('../commands/node-status.ts')
  },
  {
    path: ['node', 'peers'],
    summary: 'who is connected',
    example: 'elastos node peers',
    load: async () => await import('../commands/node-peers.ts')
  },
  {
    path: ['node', 'connect'],
    needsNode: true,
    args: ['<address>'],
    summary: 'connect to a peer you were told of',
    example: 'elastos node connect /ip4/127.0.0.1/tcp/4001/p2p/12D3Koo…',
    load: async () => await import('../commands/node-connect.ts')
  },
  {
    path: ['node', 'stop'],
    summary: 'stop the running node',
    example: 'elastos node stop',
    load: async () => await import('../commands/node-stop.ts')
  },
  {
    path: ['node', 'logs'],
    options: [
      { flags: '--lines <count>', summary: 'how many of the last lines (default 100)' },
      { flags: '--follow', summary: 'go on with new lines until Ctrl-C' }
    ],
    summary: "the node's log",
    example: 'elastos node logs --follow',
    load: async () => await import('../commands/node-logs.ts')
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
    load: async () => await import('../commands/seed-start.ts')
  }
]
