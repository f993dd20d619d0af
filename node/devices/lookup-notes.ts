import { Key, type Datastore } from 'interface-datastore'
import * as z from 'zod'
import { errorMessage, type Clock, type Logger } from '#contracts'
import { parseDid, type Did } from '#did'
import {
  LOOKUP_AGAIN_MS,
  LOOKUP_EVERY_MS,
  LOOKUP_NOTES_BYTES_MAX,
  LOOKUP_NOTES_MAX,
  LOOKUP_NOTES_WRITE_MS,
  LOOKUPS_BURST
} from './constants.ts'

/** Where the notes are kept in the node's datastore. */
const NOTES_KEY = new Key('/elastos/devices/looked-up')

const NOTES_SCHEMA = z.array(z.tuple([z.string().max(128), z.int().nonnegative()])).max(LOOKUP_NOTES_MAX)

/** What notes are kept with. */
export interface LookupNotesComponents {
  readonly datastore: Pick<Datastore, 'get' | 'has' | 'put'>
  readonly clock: Clock
  readonly logger: Logger
}

/** Whose lists were looked up of late, by the runs before too: who comes back after a moment need not ask for all again. */
export interface LookupNotes extends AsyncDisposable {
  /** Whether somebody's list was looked up, and answered for, less than {@link LOOKUP_AGAIN_MS} ago. */
  isRecent(person: Did): boolean
  /** How many of {@link LOOKUPS_BURST} were used up shortly before: who is started again and again has no more of them. */
  spent(): number
  /** The network answered for somebody's list, or that there is none. On the disk a little later. */
  note(person: Did): void
}

/** Opens the notes; there are none where they cannot be read. */
export async function openLookupNotes(components: LookupNotesComponents): Promise<LookupNotes> {
  const { datastore, clock, logger } = components
  const atMs = await readNotes(components)
  let writing: Promise<void> = Promise.resolve()
  let waiting: Disposable | undefined
  const write = async (): Promise<void> => {
    waiting = undefined
    try {
      await datastore.put(NOTES_KEY, Buffer.from(JSON.stringify([...atMs])))
    } catch (error) {
      logger.warn('lookups of device lists not noted', { reason: errorMessage(error) })
    }
  }
  return {
    isRecent: (person) => {
      const ageMs = clock.nowMs() - (atMs.get(person) ?? -Infinity)
      // a clock that was set back makes nobody's list look new for long
      return ageMs >= 0 && ageMs < LOOKUP_AGAIN_MS
    },
    spent: () => spentOf([...atMs.values()], clock.nowMs()),
    note: (person) => {
      atMs.delete(person)
      atMs.set(person, Math.floor(clock.nowMs()))
      for (const oldest of [...atMs.keys().take(Math.max(0, atMs.size - LOOKUP_NOTES_MAX))])
        atMs.delete(oldest)
      waiting ??= clock.after(LOOKUP_NOTES_WRITE_MS, () => {
        writing = writing.then(write)
      })
    },
    [Symbol.asyncDispose]: async () => {
      const isWaiting = waiting !== undefined
      waiting?.[Symbol.dispose]()
      if (isWaiting) writing = writing.then(write)
      await writing
    }
  }
}

/** How many lookups of a burst have not come back yet; `timesMs` is when some were made, earliest first. */
function spentOf(timesMs: readonly number[], nowMs: number): number {
  let spent = 0
  let beforeMs = 0
  for (const atMs of timesMs) {
    if (atMs > nowMs) continue
    spent = Math.min(LOOKUPS_BURST, Math.max(0, spent - (atMs - beforeMs) / LOOKUP_EVERY_MS) + 1)
    beforeMs = atMs
  }
  return Math.ceil(Math.max(0, spent - (nowMs - beforeMs) / LOOKUP_EVERY_MS))
}

async function readNotes({ datastore, logger }: LookupNotesComponents): Promise<Map<Did, number>> {
  try {
    if (!(await datastore.has(NOTES_KEY))) return new Map()
    const bytes = await datastore.get(NOTES_KEY)
    if (bytes.length > LOOKUP_NOTES_BYTES_MAX) return new Map()
    const notes = NOTES_SCHEMA.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    return new Map(notes.map(([person, atMs]) => [parseDid(person), atMs]))
  } catch (error) {
    // all of them are looked up again
    logger.warn('notes on lookups of device lists not readable', { reason: errorMessage(error) })
    return new Map()
  }
}
