import type { CommandSpec } from '../command-spec.ts'

/** Commands about content that is kept on several devices. */
export const REPLICAS_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['replicate', 'follow'],
    needsNode: true,
    args: ['<person>'],
    summary: 'keep copies of what a publisher publishes, within the space given to others',
    example: 'elastos replicate follow alice',
    load: async () => await import('../commands/replicate-follow.ts')
  },
  {
    path: ['replicate', 'unfollow'],
    needsNode: true,
    args: ['<person>'],
    summary: 'keep them no longer; others take over what they are missing first',
    example: 'elastos replicate unfollow alice',
    load: async () => await import('../commands/replicate-unfollow.ts')
  },
  {
    path: ['replicate', 'group'],
    needsNode: true,
    args: ['<action>', '[group]', '[members...]'],
    choices: ['create', 'join', 'leave', 'list'],
    summary: 'people who keep for each other: create NAME PERSON…, join ID, leave ID, list',
    example: 'elastos replicate group create friends alice bob',
    load: async () => await import('../commands/replicate-group.ts')
  },
  {
    path: ['replicate', 'offer'],
    needsNode: true,
    options: [
      { flags: '--space <bytes>', summary: 'space for others, such as 20GiB; 0 ends it' },
      { flags: '--publisher-max <bytes>', summary: 'most of it for one publisher (default half)' },
      {
        flags: '--for <whom>',
        summary: 'those you follow and your groups, or whoever asks',
        choices: ['known', 'anyone']
      },
      {
        flags: '--host <label>',
        summary: 'what fails together with this device: copies are spread over these'
      },
      { flags: '--network <label>', summary: 'what is cut off together with it' }
    ],
    summary: 'how much space this device gives to others',
    example: 'elastos replicate offer --space 20GiB',
    load: async () => await import('../commands/replicate-offer.ts')
  },
  {
    path: ['replicate', 'goal'],
    needsNode: true,
    args: ['<cid>', '<copies>'],
    options: [
      {
        flags: '--reader <did>',
        summary:
          'a device, or a person with all their devices of now, that may have what is private; may be repeated',
        isList: true
      }
    ],
    summary: 'how many copies of something others shall keep; 0 withdraws it',
    example: 'elastos replicate goal bafybei… 5',
    load: async () => await import('../commands/replicate-goal.ts')
  },
  {
    path: ['replicate', 'status'],
    needsNode: true,
    args: ['[cid]'],
    options: [{ flags: '--challenge', summary: 'ask every holder to show that it has it now' }],
    summary: 'how many copies there are, where, and when each last showed that it has it',
    example: 'elastos replicate status bafybei…',
    load: async () => await import('../commands/replicate-status.ts')
  },
  {
    path: ['replicate', 'repair'],
    needsNode: true,
    summary: 'ask for missing copies now rather than when their time comes',
    example: 'elastos replicate repair',
    load: async () => await import('../commands/replicate-repair.ts')
  },
  {
    path: ['replicate', 'quota'],
    needsNode: true,
    summary: 'the space given to others, and whose content uses it',
    example: 'elastos replicate quota',
    load: async () => await import('../commands/replicate-quota.ts')
  },
  {
    path: ['replicate', 'leave'],
    needsNode: true,
    summary: 'give no more space: hand everything to others, and say when they have it',
    example: 'elastos replicate leave',
    load: async () => await import('../commands/replicate-leave.ts')
  }
]
