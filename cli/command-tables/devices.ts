import type { CommandSpec } from '../command-spec.ts'

const FIRST = { flags: '--first', summary: 'this key never published before; needed once after a recovery' }

/** Commands about the devices of the owner. */
export const DEVICES_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['device', 'join'],
    options: [
      {
        flags: '--reach <reach>',
        summary: 'how far your other device may be: local, lan (default) or public',
        choices: ['local', 'lan', 'public']
      },
      { flags: '--listen <multiaddr>', summary: 'listen here instead of the default', isList: true }
    ],
    summary: 'on a new device: show a code, and become yours when one of your devices adds it',
    example: 'elastos device join',
    load: async () => await import('../commands/device-join.ts')
  },
  {
    path: ['device', 'add'],
    needsNode: true,
    args: ['<code>'],
    options: [{ flags: '--name <name>', summary: 'what to call it; every peer it meets sees that' }, FIRST],
    summary: "on a device of yours: certify the one that shows this code ('elastos device join')",
    example: 'elastos device add elastos-device:hAFY… --name phone',
    load: async () => await import('../commands/device-add.ts')
  },
  {
    path: ['device', 'list'],
    needsNode: true,
    summary: 'your devices, and those you revoked',
    example: 'elastos device list',
    load: async () => await import('../commands/device-list.ts')
  },
  {
    path: ['device', 'revoke'],
    needsNode: true,
    args: ['<device>'],
    options: [{ flags: '--yes', summary: 'do not ask' }, FIRST],
    summary: 'a device was lost or stolen: nobody takes it for you any more, for ever',
    example: 'elastos device revoke phone',
    load: async () => await import('../commands/device-revoke.ts')
  }
]
