/** The level store of grants and audit entries. The only file of this folder that touches the disk. */
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { Level } from 'level'
import { errorCode, errorMessage, type Logger } from '#contracts'
import { CapsuleError } from '../errors.ts'
import type { AuthorityStore } from './store.ts'

type Database = Level<string, Uint8Array>

/** What is added to the name of a folder that is put aside; one is kept. */
const ASIDE = '.damaged'
/** What is added to it for the mark. */
const MARK = '.head'

/** On Node `Level` is classic-level's class, whose `repair` its types leave out. */
const repairable = Level as unknown as { repair(path: string): Promise<void> }

/**
 * Opens the store in `folder`, which is made when it is not there; level's lock keeps a second process out. A store that level
 * calls corrupt is repaired once; whether anything is missing then shows in the audit log.
 *
 * @throws CapsuleError `ERR_AUTHORITY_STORE` when it is in use or cannot be opened
 */
export async function createLevelAuthorityStore(folder: string, logger: Logger): Promise<AuthorityStore> {
  let database = await openOrRepair(folder, logger)
  return {
    get: async (key) => await database.get(key),
    entries: ({ from, to, isReversed = false, limit = -1 }) =>
      database.iterator({ gte: from, lte: to, reverse: isReversed, limit }),
    write: async (changes) => {
      const operations = changes.map((change) =>
        change.type === 'put'
          ? ({ type: 'put', key: change.key, value: change.value } as const)
          : ({ type: 'del', key: change.key } as const)
      )
      await database.batch(operations, { sync: true } as object)
    },
    readMark: async () => await readFile(folder + MARK).catch(() => undefined),
    writeMark: async (bytes) => {
      await writeFile(`${folder}${MARK}.new`, bytes, { mode: 0o600, flush: true })
      await rename(`${folder}${MARK}.new`, folder + MARK)
    },
    setAside: async () => {
      await database.close()
      rmSync(folder + MARK, { force: true })
      rmSync(folder + ASIDE, { recursive: true, force: true })
      renameSync(folder, folder + ASIDE)
      logger.warn('the damaged store of grants is put aside', { folder: folder + ASIDE })
      database = await openOrRepair(folder, logger)
    },
    [Symbol.asyncDispose]: async () => {
      await database.close()
    }
  }
}

async function openOrRepair(folder: string, logger: Logger): Promise<Database> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    return await openLevel(folder).catch(async (thrown: unknown) => {
      if (causeCode(thrown) !== 'LEVEL_CORRUPTION') throw thrown
      logger.warn('the store of grants is corrupt and is repaired', { folder })
      await repairable.repair(folder)
      return await openLevel(folder)
    })
  } catch (cause) {
    const isLocked = causeCode(cause) === 'LEVEL_LOCKED'
    const why = isLocked ? 'another process uses it' : (causeCode(cause) ?? errorMessage(cause))
    throw new CapsuleError('ERR_AUTHORITY_STORE', `cannot open the store of grants ${folder}: ${why}`, {
      cause
    })
  }
}

async function openLevel(folder: string): Promise<Database> {
  const database: Database = new Level(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await database.open()
  return database
}

/** level wraps the reason: the innermost code is the one that says it. */
function causeCode(thrown: unknown): string | undefined {
  let code: string | undefined
  for (let at = thrown; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    code = errorCode(at) ?? code
  }
  return code
}
