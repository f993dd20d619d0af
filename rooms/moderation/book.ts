import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import { TOPIC_PREFIX } from '../constants.ts'
import { RoomError } from '../errors.ts'
import type { RoomStore } from '../store.ts'
import { isCount } from '../wire.ts'
import { FOLLOWED_MAX, LIST_BYTES_MAX, LISTS_MAX } from './constants.ts'
import { openModerationList, type ModerationList } from './list.ts'

/** What {@link openModerationBook} opens. */
export interface ModerationBookInit {
  readonly room: string
  readonly topic: string
  /** Ourselves: our own list holds for us without being followed. */
  readonly self: Did
  readonly nowMs: () => number
  /** Whether a person has revoked a device of theirs: its lists hold no more. */
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
  /** The highest sequence ever seen of an author; 0 when none was. */
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
  const heights = new Map<Did, number>()
  const lists = new Map<Did, ModerationList>()
  for await (const [name, value] of store.entries(`${key}/list/`)) {
    const kept = readKept(value)
    if (kept === undefined) continue
    heights.set(parseDid(name.slice(`${key}/list/`.length)), kept.sequence)
    const list = reopen(kept.bytes, init)
    if (list !== undefined) lists.set(list.author, list)
  }
  return new StoredBook({ store, key, init }, { followed, heights, lists })
}

interface BookPlace {
  readonly store: RoomStore
  readonly key: string
  readonly init: ModerationBookInit
}

interface BookContent {
  readonly followed: readonly Did[]
  readonly heights: Map<Did, number>
  readonly lists: Map<Did, ModerationList>
}

class StoredBook implements ModerationBook {
  followed: readonly Did[]
  readonly #place: BookPlace
  readonly #heights: Map<Did, number>
  readonly #lists: Map<Did, ModerationList>
  #writing: Promise<void> = Promise.resolve()

  constructor(place: BookPlace, { followed, heights, lists }: BookContent) {
    this.#place = place
    this.followed = followed
    this.#heights = heights
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
    return this.#heights.get(author) ?? 0
  }

  take(list: ModerationList): boolean {
    const { author, sequence, bytes } = list
    if (sequence <= this.highest(author) || !this.trusted().has(author)) return false
    if (!this.#heights.has(author) && !this.#makeRoom()) return false
    this.#heights.set(author, sequence)
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
    const { nowMs, isRevoked } = this.#place.init
    const list = this.#lists.get(author)
    if (list === undefined || list.expiresAtMs <= nowMs()) return undefined
    if (list.device !== author && isRevoked?.(author, list.device) === true) return undefined
    return list
  }

  /** Of too many, those of nobody who is followed give way. */
  #makeRoom(): boolean {
    if (this.#heights.size < LISTS_MAX) return true
    const trusted = this.trusted()
    const gone = [...this.#heights.keys()].find((author) => !trusted.has(author))
    if (gone === undefined) return false
    this.#heights.delete(gone)
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

function reopen(bytes: Uint8Array, { room, nowMs }: ModerationBookInit): ModerationList | undefined {
  try {
    return openModerationList(bytes, { room, nowMs: nowMs() })
  } catch {
    return undefined
  }
}

function readKept(value: Uint8Array): { sequence: number; bytes: Uint8Array } | undefined {
  const kept = decode(value)
  if (!Array.isArray(kept)) return undefined
  const [sequence, bytes] = kept as readonly unknown[]
  return isCount(sequence) && bytes instanceof Uint8Array ? { sequence, bytes } : undefined
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
