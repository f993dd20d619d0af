import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { TOPIC_PREFIX } from '../constants.ts'
import { RoomError } from '../errors.ts'
import type { RoomStore } from '../store.ts'
import { FOLLOWED_MAX, LIST_BYTES_MAX, LISTS_MAX } from './constants.ts'
import { verifyModerationList, type ModerationList } from './list.ts'

/** What {@link openModerationBook} opens. */
export interface ModerationBookInit {
  readonly room: string
  readonly topic: string
  /** Ourselves: our own list holds for us without being followed. */
  readonly self: Did
  readonly nowMs: () => number
  /** People and devices whom this node does not want to hear: their lists hold for nobody here. */
  readonly isDenied?: ((did: Did) => boolean) | undefined
  /** Whether a person has revoked a device of theirs: its lists hold no more, and their numbers do not count. */
  readonly isRevoked?: ((person: Did, device: Did) => boolean) | undefined
}

/** Whose lists are followed in a room, and the lists: of each author the one with the highest sequence ever seen. */
export interface ModerationBook {
  /** Those whom somebody here chose to follow. */
  readonly followed: readonly Did[]
  /** Whose lists are taken: those who are followed, whom these appointed, and ourselves. */
  trusted(): ReadonlySet<Did>
  /** The lists that hold now. */
  current(): readonly ModerationList[]
  /**
   * The highest sequence ever seen of an author; 0 when none was. That of a device which was revoked since does not count: one that is
   * stolen could else silence its person for ever.
   */
  highest(author: Did): number
  /**
   * Takes a list that was verified; whether it is a newer one of somebody whose lists are taken. It never goes back, not after its
   * list expired either.
   */
  take(list: ModerationList): boolean
  /** @throws RoomError `ERR_MODERATION_FULL` */
  follow(author: Did, isFollowed: boolean): void
  /** Resolves when all that was changed is on the disk. */
  written(): Promise<void>
}

/** Opens what this node knows of the moderation of a room. What is damaged or expired is left out. */
export async function openModerationBook(
  store: RoomStore,
  init: ModerationBookInit
): Promise<ModerationBook> {
  const key = `moderation/${init.topic.slice(TOPIC_PREFIX.length)}`
  const followed = readDids(await store.get(`${key}/followed`))
  const lists = new Map<Did, ModerationList>()
  for await (const [name, value] of store.entries(`${key}/list/`)) {
    const list = reopen(value, init)
    if (list !== undefined && name === `${key}/list/${list.author}`) lists.set(list.author, list)
  }
  return new StoredBook({ store, key, init }, { followed, lists })
}

/** Whether a list may be heard at all: neither its author nor its device is denied, and its device is not revoked. */
export function isListHeard(
  { author, device }: Pick<ModerationList, 'author' | 'device'>,
  { isDenied, isRevoked }: Pick<ModerationBookInit, 'isDenied' | 'isRevoked'>
): boolean {
  if (isDenied?.(author) === true || isDenied?.(device) === true) return false
  return author === device || isRevoked?.(author, device) !== true
}

interface BookPlace {
  readonly store: RoomStore
  readonly key: string
  readonly init: ModerationBookInit
}

interface BookContent {
  readonly followed: readonly Did[]
  readonly lists: Map<Did, ModerationList>
}

class StoredBook implements ModerationBook {
  followed: readonly Did[]
  readonly #place: BookPlace
  /** Of each author the highest one, also when it holds no more: its number still does. */
  readonly #lists: Map<Did, ModerationList>
  #writing: Promise<void> = Promise.resolve()

  constructor(place: BookPlace, { followed, lists }: BookContent) {
    this.#place = place
    this.followed = followed
    this.#lists = lists
  }

  trusted(): ReadonlySet<Did> {
    const chosen = [this.#place.init.self, ...this.followed]
    // One step: whom an appointed one appoints is nobody the reader chose.
    const appointed = chosen.flatMap((author) => this.#listOf(author)?.appointed ?? [])
    return new Set([...chosen, ...appointed])
  }

  current(): readonly ModerationList[] {
    return [...this.trusted()].flatMap((author) => this.#listOf(author) ?? [])
  }

  highest(author: Did): number {
    const list = this.#lists.get(author)
    if (list === undefined) return 0
    const isGone = list.device !== author && this.#place.init.isRevoked?.(author, list.device) === true
    return isGone ? 0 : list.sequence
  }

  take(list: ModerationList): boolean {
    const { author, sequence, bytes } = list
    if (sequence <= this.highest(author) || !this.trusted().has(author)) return false
    if (!this.#lists.has(author) && !this.#makeRoom(author)) return false
    this.#lists.set(author, list)
    this.#write(`list/${author}`, encodeCanonical([sequence, bytes]))
    return true
  }

  follow(author: Did, isFollowed: boolean): void {
    const others = this.followed.filter((known) => known !== author)
    if (isFollowed && others.length >= FOLLOWED_MAX) {
      throw new RoomError('ERR_MODERATION_FULL', `expected at most ${FOLLOWED_MAX} people to be followed`)
    }
    this.followed = isFollowed ? [...others, author] : others
    this.#write('followed', encodeCanonical(this.followed))
  }

  async written(): Promise<void> {
    await this.#writing
  }

  /** The list of an author, if it holds now. */
  #listOf(author: Did): ModerationList | undefined {
    const { init } = this.#place
    const list = this.#lists.get(author)
    if (list === undefined || list.expiresAtMs <= init.nowMs()) return undefined
    return isListHeard(list, init) ? list : undefined
  }

  /** Of too many, those of nobody who is followed give way; to ourselves and whom somebody here chose, those whom others appointed too. */
  #makeRoom(author: Did): boolean {
    if (this.#lists.size < LISTS_MAX) return true
    const chosen = new Set([this.#place.init.self, ...this.followed])
    const trusted = this.trusted()
    const authors = [...this.#lists.keys()]
    const stranger = authors.find((known) => !trusted.has(known))
    const appointee = chosen.has(author) ? authors.find((known) => !chosen.has(known)) : undefined
    const gone = stranger ?? appointee
    if (gone === undefined) return false
    this.#lists.delete(gone)
    this.#write(`list/${gone}`)
    return true
  }

  #write(name: string, value?: Uint8Array): void {
    const { store, key } = this.#place
    const change = { key: `${key}/${name}`, ...(value === undefined ? {} : { value }) }
    const write = async (): Promise<void> => await store.write([change])
    // One after the other, and the next one all the same after one that failed.
    this.#writing = this.#writing.then(write, write)
    this.#writing.catch(() => undefined)
  }
}

/** A list as it was kept. It was in time when it was taken; this clock may be behind the one of then. */
function reopen(value: Uint8Array, { room }: ModerationBookInit): ModerationList | undefined {
  const kept = decode(value)
  const bytes: unknown = Array.isArray(kept) ? kept[1] : undefined
  if (!(bytes instanceof Uint8Array)) return undefined
  try {
    return verifyModerationList(bytes, room)
  } catch {
    return undefined
  }
}

function readDids(value: Uint8Array | undefined): readonly Did[] {
  const dids = value === undefined ? undefined : decode(value)
  return Array.isArray(dids) ? dids.filter((did) => typeof did === 'string').map((did) => parseDid(did)) : []
}

function decode(value: Uint8Array): unknown {
  try {
    return decodeCanonical(value, { bytesMax: LIST_BYTES_MAX + 64, depthMax: 3, itemsMax: FOLLOWED_MAX + 4 })
  } catch {
    return undefined
  }
}
