import { join } from 'node:path'

/** Every path inside a data folder, in one place. */
export interface DataPaths {
  readonly root: string
  /** Keys, in files of mode 0600. */
  readonly keys: string
  /** Blocks of content. */
  readonly blocks: string
  /** The level store: peers, records, pins and what may be served. */
  readonly store: string
  readonly config: string
  readonly contacts: string
  readonly deny: string
  /** Devices that were revoked by their people. */
  readonly devices: string
  readonly knownSeeds: string
  /** What is installed, and what capsules wrote into their logs. */
  readonly capsules: string
  /** The level store of grants and of what was decided. */
  readonly authority: string
  /** What capsules keep, encrypted. */
  readonly vault: string
  /** The kernel and the first process of microVMs. */
  readonly guest: string
  /** Root images of capsules that ran in one, and what was found out about machines here; made again when lost. */
  readonly machines: string
  readonly log: string
}

/** The layout of the data folder at `root`. */
export function dataPaths(root: string): DataPaths {
  return {
    root,
    keys: join(root, 'keys'),
    blocks: join(root, 'blocks'),
    store: join(root, 'db'),
    config: join(root, 'config.json'),
    contacts: join(root, 'contacts.json'),
    deny: join(root, 'deny.json'),
    devices: join(root, 'devices.json'),
    knownSeeds: join(root, 'known-seeds.json'),
    capsules: join(root, 'capsules'),
    authority: join(root, 'authority'),
    vault: join(root, 'vault'),
    guest: join(root, 'guest'),
    machines: join(root, 'machines'),
    log: join(root, 'log', 'node.log')
  }
}
