import type { Datastore } from 'interface-datastore'
import { systemClock, systemRandom, type Clock, type Logger, type Random } from '#contracts'
import { systemPrivateFiles, type Keystore, type PrivateFiles } from '#did'
import { readConfig, writeConfig, type NodeConfig } from './config.ts'
import { openContacts, type Contacts } from './contacts.ts'
import { dataPaths, type DataPaths } from './data-folder.ts'
import { openOrCreateIdentity } from './identity.ts'
import { openLog, prepareDataFolder } from './powers.ts'
import { openStore } from './store/powers.ts'
import { createTextFiles, type TextFiles } from './text-files.ts'
import type { NodeInit } from './types.ts'

/** What every part of a node stands on: its folder, its seams, its keys and its owner's choices. */
export interface NodeBase {
  readonly paths: DataPaths
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly datastore: Datastore
  readonly privateFiles: PrivateFiles
  readonly files: TextFiles
  readonly keystore: Keystore
  readonly contacts: Contacts
  /** What was chosen now or before. */
  choices: NodeConfig
  /** Remembers one more choice. */
  readonly remember: (choice: NodeConfig) => Promise<void>
}

/**
 * Opens the data folder. The store comes first: its lock keeps a second node from touching anything else.
 *
 * @throws NodeError `ERR_DATA_FOLDER`, `ERR_NODE_RUNNING`, `ERR_CONFIG_INVALID`; DidError about the keys
 */
export async function openBase(init: NodeInit, stack: AsyncDisposableStack): Promise<NodeBase> {
  const { powers = {} } = init
  const { clock = systemClock, random = systemRandom, privateFiles = systemPrivateFiles } = powers
  const paths = dataPaths(init.dataFolder)
  if (powers.datastore === undefined) prepareDataFolder(paths.root)
  const logger = powers.logger ?? stack.use(openLog(paths.log, clock))
  const datastore = powers.datastore ?? stack.use(await openStore(paths.store, logger))
  const files = createTextFiles(privateFiles, random)
  const { keystore } = await openOrCreateIdentity(
    { files: privateFiles, clock, random },
    { keysFolder: paths.keys, passphrase: init.passphrase, askPassphrase: init.askPassphrase }
  )
  const base: NodeBase = {
    ...{ paths, clock, random, logger, datastore, privateFiles, files, keystore },
    contacts: await openContacts(files, paths.contacts),
    choices: await askOnce(mergeChoices(await readConfig(files, paths.config), init), init),
    remember: async (choice) => {
      base.choices = { ...base.choices, ...choice }
      await rememberChoices(base)
    }
  }
  return base
}

/** Merges what is chosen now over what was chosen before. */
function mergeChoices(before: NodeConfig, init: NodeInit): NodeConfig {
  const { reach, discover, bootstrap, uploadMax, downloadMax, guest } = init
  return {
    ...before,
    ...(reach === undefined ? {} : { reach }),
    ...(discover === undefined ? {} : { discover }),
    ...(bootstrap === undefined ? {} : { bootstrap: [...bootstrap] }),
    ...(uploadMax === undefined ? {} : { uploadMax }),
    ...(downloadMax === undefined ? {} : { downloadMax }),
    ...(guest === undefined ? {} : { guest })
  }
}

/** Within reach local a node dials whom it is given only, so there is nothing to ask. */
async function askOnce(choices: NodeConfig, { askDiscover }: NodeInit): Promise<NodeConfig> {
  const isOpen = choices.discover === undefined && (choices.reach ?? 'local') !== 'local'
  if (!isOpen || askDiscover === undefined) return choices
  return { ...choices, discover: (await askDiscover()) ? 'ipfs' : 'off' }
}

/** Remembers the choices of a start that went well, so that a command that starts a node makes the same. */
export async function rememberChoices(base: NodeBase): Promise<void> {
  const { files, paths } = base
  const before = await readConfig(files, paths.config)
  // Read now: another choice may have been made meanwhile.
  const { choices } = base
  if (JSON.stringify(choices) !== JSON.stringify(before)) await writeConfig(files, paths.config, choices)
}
