import type { CommandSpec } from './command-spec.ts'
import { CAPSULES_COMMANDS } from './command-tables/capsules.ts'
import { CONTENT_COMMANDS } from './command-tables/content.ts'
import { DEVICES_COMMANDS } from './command-tables/devices.ts'
import { DHT_COMMANDS } from './command-tables/dht.ts'
import { GRANTS_COMMANDS } from './command-tables/grants.ts'
import { GUESTS_COMMANDS } from './command-tables/guests.ts'
import { IDENTITY_COMMANDS } from './command-tables/identity.ts'
import { NODE_COMMANDS } from './command-tables/node.ts'
import { PEOPLE_COMMANDS } from './command-tables/people.ts'
import { REPO_COMMANDS } from './command-tables/repo.ts'
import { REPLICAS_COMMANDS } from './command-tables/replicas.ts'
import { SHELL_COMMANDS } from './command-tables/shell.ts'
import { SIM_COMMANDS } from './command-tables/sim.ts'

/** Groups of commands and what each is about. */
export const COMMAND_GROUPS: Readonly<Record<string, string>> = {
  id: 'who you are: recovery words, device key, did',
  device: 'the devices that are you: add one, revoke one',
  node: 'the node of this device',
  seed: 'a seed: a node that introduces others',
  pin: 'what this device keeps',
  replicate: 'content that stays: copies on other devices, and theirs on this one',
  repo: 'the blocks on this disk: how many, whether they are sound, what may go',
  dag: 'content as CAR files, to carry it without a network',
  capsule: 'signed programs: make, publish, install, run',
  guest: 'what microVMs start: a kernel and its first process',
  grant: 'what capsules may do, and who said so',
  audit: 'every decision about capsules, as it was made',
  name: 'mutable names',
  dht: 'who has what, and who is where',
  contact: 'your own address book of publishers',
  room: 'private rooms by invitation, end to end encrypted, and the moderation of open ones',
  deny: 'content and peers this node will not deal with',
  sim: 'networks in virtual time: the same seed, the same trace'
}

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  ...NODE_COMMANDS,
  ...IDENTITY_COMMANDS,
  ...DEVICES_COMMANDS,
  ...CONTENT_COMMANDS,
  ...REPLICAS_COMMANDS,
  ...REPO_COMMANDS,
  ...CAPSULES_COMMANDS,
  ...GUESTS_COMMANDS,
  ...GRANTS_COMMANDS,
  ...PEOPLE_COMMANDS,
  ...DHT_COMMANDS,
  ...SIM_COMMANDS,
  ...SHELL_COMMANDS
]
