import { errorCode, type Random } from '#contracts'
import { TEMPORARY_SUFFIX, WRITER_LOCK_BYTES_MAX } from './constants.ts'
import { DidError } from './errors.ts'
import {
  privatePathOf,
  readPrivateFile,
  writePrivateFile,
  type PrivateFiles,
  type PrivatePath
} from './private-file.ts'

/** What {@link holdWriterLock} works with. */
export interface WriterLockComponents {
  readonly files: PrivateFiles
  readonly random: Random
}

/**
 * Tokens of the locks this process holds. In a container the process that crashed and the one that follows it
 * often have the same id; only the token tells them apart.
 */
const heldTokens = new Set<string>()

/**
 * Runs `task` while no other process of this user writes the same thing: a lock file that names its process. The
 * lock of a process that no longer runs is taken over.
 *
 * @throws DidError `ERR_KEYSTORE_BUSY` when a running process holds it
 */
export async function holdWriterLock<T>(
  components: WriterLockComponents,
  place: PrivatePath,
  task: () => Promise<T>
): Promise<T> {
  const { files, random } = components
  const token = randomName(random)
  await removeStaleLock(components, place)
  heldTokens.add(token)
  try {
    const bytes = Buffer.from(`${files.processId()} ${token}\n`)
    await writePrivateFile(files, place, { bytes, mode: 'create', random }).catch((thrown: unknown) => {
      throw isLostRace(thrown) ? busy(place) : thrown
    })
    try {
      return await task()
    } finally {
      await files.remove(privatePathOf(place))
    }
  } finally {
    heldTokens.delete(token)
  }
}

function randomName(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}

/** The name was taken, or whoever took it tidied our temporary file away. */
function isLostRace(thrown: unknown): boolean {
  if (!(thrown instanceof DidError)) return false
  return thrown.code === 'ERR_FILE_EXISTS' || errorCode(thrown.cause) === 'ENOENT'
}

function busy(place: PrivatePath, holder?: number): DidError {
  const path = privatePathOf(place)
  const who = holder === undefined ? 'another process' : `process ${holder}`
  const mend =
    holder === undefined ? 'try again' : `try again, or remove that file if process ${holder} is no elastos`
  return new DidError(
    'ERR_KEYSTORE_BUSY',
    `expected nobody else to change the keystore, ${who} holds ${path}; ${mend}`
  )
}

function runningHolder(files: PrivateFiles, lock: Uint8Array): number | undefined {
  const [processId, token] = Buffer.from(lock).toString('latin1').trim().split(' ')
  const holder = Number(processId)
  if (!Number.isSafeInteger(holder) || holder <= 0 || token === undefined) return undefined
  if (holder === files.processId()) return heldTokens.has(token) ? holder : undefined
  return files.isProcessAlive(holder) ? holder : undefined
}

async function removeStaleLock({ files, random }: WriterLockComponents, place: PrivatePath): Promise<void> {
  const seen = await readPrivateFile(files, place, WRITER_LOCK_BYTES_MAX)
  if (seen === undefined) return
  const holder = runningHolder(files, seen)
  if (holder !== undefined) throw busy(place, holder)
  // Two processes may see the same stale lock. Renaming it away first and looking at what was renamed keeps the
  // second from removing the fresh lock of the first.
  const aside = { folder: place.folder, name: `${place.name}.${randomName(random)}${TEMPORARY_SUFFIX}` }
  await files.rename(privatePathOf(place), privatePathOf(aside)).catch(() => {
    throw busy(place)
  })
  const taken = await readPrivateFile(files, aside, WRITER_LOCK_BYTES_MAX)
  if (taken === undefined) throw busy(place)
  if (Buffer.compare(taken, seen) !== 0) {
    await files.rename(privatePathOf(aside), privatePathOf(place))
    throw busy(place)
  }
  await files.remove(privatePathOf(aside))
}
