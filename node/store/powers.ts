/** The level store of a node: opened, watched and repaired. The only file of this folder that touches the disk. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { AbortOptions } from '@libp2p/interface'
import { LevelDatastore } from 'datastore-level'
import type { Datastore, Key, Pair } from 'interface-datastore'
import { Level } from 'level'
import { errorCode, errorMessage, type Logger } from '#contracts'
import { NodeError } from '../errors.ts'

/** Records that decide what peers may be served: a power cut must not bring a withdrawn one back. */
const SYNCED_KEYS = '/content/1/root/'
/** Beside a store that turned out to be damaged while it was read. */
const DAMAGE_MARK = '.damaged'
/** What level says of tables that are not what it wrote; a failing disk says something else. */
const DAMAGE = /corruption|\.ldb: (invalid argument|no such file)/i

type Database = Level<string, Uint8Array>

/** On Node `Level` is classic-level's class, whose `repair` its types leave out. */
const repairable = Level as unknown as { repair(path: string): Promise<void> }

/**
 * Opens the level store; its lock is what keeps two nodes off one data folder. A corrupt store is repaired once, and
 * moved aside when that fails: what it holds can be found again, keys and blocks are elsewhere.
 *
 * @throws NodeError `ERR_NODE_RUNNING` when another process holds it, `ERR_DISK_FULL`, `ERR_STORE_UNUSABLE` when it
 * cannot be opened
 */
export async function openStore(path: string, logger: Logger): Promise<Datastore & AsyncDisposable> {
  const store = new WatchedDatastore(await openOrRepair(path, logger), { path, logger })
  await store.open()
  return Object.assign(store, {
    [Symbol.asyncDispose]: async () => {
      await store.close()
    }
  })
}

/** Whether the store was found to be damaged since it was opened: the next opening repairs it. */
export function isStoreDamaged(path: string): boolean {
  return existsSync(path + DAMAGE_MARK)
}

async function openOrRepair(path: string, logger: Logger): Promise<Database> {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  // Opened before anything is repaired, for only level's lock tells that no other node uses it.
  const database = await openLevel(path).catch((thrown: unknown) => {
    const code = causeCode(thrown)
    if (code === 'LEVEL_LOCKED') throw lockedError(path, thrown)
    // Only what level itself calls corrupt is touched: a full or failing disk is no reason to move anything.
    if (code !== 'LEVEL_CORRUPTION') throw unusableError(path, code, thrown)
    return undefined
  })
  if (database !== undefined && !isStoreDamaged(path)) return database
  await database?.close()
  logger.warn('the store is corrupt and is repaired', { path })
  const repaired = await repairStore(path).catch(async () => await replaceStore(path, logger))
  rmSync(path + DAMAGE_MARK, { force: true })
  return repaired
}

async function openLevel(path: string): Promise<Database> {
  const database: Database = new Level(path, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  return database
}

/** Drops what cannot be read, and reads the rest once to be sure. */
async function repairStore(path: string): Promise<Database> {
  await repairable.repair(path)
  const database = await openLevel(path)
  try {
    for await (const _entry of database.iterator()) continue
    return database
  } catch (thrown) {
    await database.close()
    throw thrown
  }
}

async function replaceStore(path: string, logger: Logger): Promise<Database> {
  const aside = `${path}.corrupt-${randomBytes(4).toString('hex')}`
  renameSync(path, aside)
  mkdirSync(path, { mode: 0o700 })
  logger.error('the store was beyond repair: moved aside, begun anew', { aside, code: 'ERR_STORE_CORRUPT' })
  return await openLevel(path)
}

/**
 * datastore-level never asks for a sync: the few writes that need it wait for the disk. level opens tables when it first
 * reads them, so damage may show at any time: it is noted, and mended at the next start.
 */
class WatchedDatastore extends LevelDatastore {
  readonly #init: { readonly path: string; readonly logger: Logger }

  constructor(database: Database, init: { readonly path: string; readonly logger: Logger }) {
    super(database)
    this.#init = init
  }

  override async put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    if (!key.toString().startsWith(SYNCED_KEYS)) return await super.put(key, value, options)
    await this.db.put<string, Uint8Array>(key.toString(), value, { sync: true } as object)
    return key
  }

  override async delete(key: Key, options?: AbortOptions): Promise<void> {
    if (!key.toString().startsWith(SYNCED_KEYS)) {
      await super.delete(key, options)
      return
    }
    await this.db.del<string>(key.toString(), { sync: true } as object)
  }

  override async get(key: Key, options?: AbortOptions): Promise<Uint8Array> {
    return await super.get(key, options).catch((thrown: unknown) => this.#fail(thrown))
  }

  override async has(key: Key, options?: AbortOptions): Promise<boolean> {
    return await super.has(key, options).catch((thrown: unknown) => this.#fail(thrown))
  }

  override async *_query(options: { values: boolean; prefix?: string }): AsyncIterable<Pair> {
    try {
      yield* super._query(options)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #fail(thrown: unknown): never {
    const { path, logger } = this.#init
    if (DAMAGE.test(messages(thrown)) && !isStoreDamaged(path)) {
      writeFileSync(path + DAMAGE_MARK, '', { mode: 0o600 })
      const fields = { code: 'ERR_STORE_CORRUPT', reason: errorMessage(thrown) }
      logger.error('the store is damaged: it is repaired at the next start', fields)
    }
    throw thrown
  }
}

/** level wraps the reason: the innermost code is the one that says it. */
function causeCode(thrown: unknown): string | undefined {
  return causes(thrown).reduce<string | undefined>((code, cause) => errorCode(cause) ?? code, undefined)
}

function messages(thrown: unknown): string {
  return causes(thrown).map(errorMessage).join(': ')
}

/** An error and what caused it, the outermost first. */
function causes(thrown: unknown): object[] {
  const found: object[] = []
  for (let at = thrown; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    found.push(at)
  }
  return found
}

function unusableError(path: string, code: string | undefined, cause: unknown): NodeError {
  // level hands on what the system said as text.
  if (/no space left/i.test(messages(cause))) {
    const full = `the disk of ${path} is full: free some space and start again`
    return new NodeError('ERR_DISK_FULL', full, { cause })
  }
  const message = `cannot open the store ${path} (${code ?? errorMessage(cause)}): nothing in it was changed`
  return new NodeError('ERR_STORE_UNUSABLE', message, { cause })
}

function lockedError(path: string, cause: unknown): NodeError {
  const folder = dirname(path)
  return new NodeError(
    'ERR_NODE_RUNNING',
    `another node already runs on ${folder}: use it, stop it with 'elastos node stop', or choose another --data`,
    { cause }
  )
}
