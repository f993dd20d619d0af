import type { CommandSpec } from '../command-spec.ts'
import type { OptionSpec } from '../options.ts'

const RUN_OPTIONS: readonly OptionSpec[] = [
  { flags: '--nodes <count>', summary: 'how many nodes (default: as many as the scenario says)' },
  {
    flags: '--seed <number>',
    summary: 'decides everything that chance decides (default: a fresh one, printed)'
  },
  { flags: '--duration <time>', summary: 'virtual time, such as 90s, 10m or 2h (default: the scenario’s)' },
  {
    flags: '--report <file>',
    summary: 'write a page with pictures: replicas, lookups, bandwidth, who holds what'
  },
  { flags: '--series <file>', summary: 'write the measurements of that page as JSON' },
  { flags: '--trace <file>', summary: 'write every event, a line each' },
  { flags: '--force', summary: 'replace what is at the paths of these files' },
  { flags: '--plant <fault>', summary: 'plant a fault in the nodes, to see that the checkers find it' }
]

/** Commands about simulated networks. */
export const SIM_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['sim', 'run'],
    args: ['<scenario>'],
    options: [
      ...RUN_OPTIONS,
      { flags: '--seeds <count>', summary: 'run so many seeds, one after the other' }
    ],
    summary: 'run a network in virtual time, here and offline, and check what must hold',
    example: 'elastos sim run churn --nodes 100 --seed 7 --json',
    load: async () => await import('../commands/sim-run.ts')
  },
  {
    path: ['sim', 'replay'],
    args: ['<scenario>'],
    options: RUN_OPTIONS,
    summary: 'run a seed again that failed, and show what happened last',
    example: 'elastos sim replay churn --seed 7',
    load: async () => await import('../commands/sim-replay.ts')
  },
  {
    path: ['sim', 'list'],
    summary: 'the scenarios there are',
    example: 'elastos sim list',
    load: async () => await import('../commands/sim-list.ts')
  }
]
