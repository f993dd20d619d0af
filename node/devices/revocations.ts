import { createHash } from 'node:crypto'
import * as z from 'zod'
import { errorMessage, type Logger } from '#contracts'
import { openDeviceList, parseDid, type DeviceList, type Did } from '#did'
import { NodeError } from '../errors.ts'
import type { TextFiles } from '../text-files.ts'
import {
  BOUND_MAX,
  DEVICES_FILE_BYTES_MAX,
  DIGEST_BYTES,
  PEOPLE_KEPT_MAX,
  PEOPLE_MET_MAX,
  RECENT_KEPT_BYTES_MAX,
  RECENT_LISTS_MAX,
  RECENT_OF_PERSON_MAX,
  REVOKED_KEPT_MAX,
  REVOKED_OF_PERSON_MAX,
  STRANGERS_MAX
} from './constants.ts'

/** A device list as its person signed it. */
export interface SignedList extends DeviceList {
  readonly bytes: Uint8Array
  /** Names these bytes: the beginning of their SHA-256, in hex. */
  readonly digest: string
}

/** What taking a list changed. */
export interface TakenList {
  /** Whether it says anything that was not known. */
  readonly isNews: boolean
  /** Devices that were not known to be revoked. */
  readonly revoked: readonly Did[]
}

/** Which devices were revoked by their person, as far as this node has heard. Nothing is ever un-revoked. */
export interface Revocations {
  /** Whether a person has revoked a device that just spoke for it; that it did is remembered. */
  isRevoked(person: Did, device: Did): boolean
  /** Whether a device was revoked by a person whose it said it is. */
  isRevokedDevice(device: string): boolean
  /**
   * Takes note of a list. What it revokes holds at once; it is on disk when this resolves, when the person is the owner
   * or was met.
   */
  take(list: SignedList): Promise<TakenList>
  /** The latest list of the owner. */
  own(): SignedList | undefined
  /** Every device the owner has revoked, over all lists. */
  ownRevoked(): readonly Did[]
  /** Lists heard of lately that revoke something, the newest first. */
  recent(): readonly SignedList[]
  /** Whether somebody is a contact of the owner. */
  isContact(person: Did): boolean
  /** Called with each person who is heard, until disposed; one caller. */
  onMet(handler: (person: Did) => void): Disposable
}

/** What revocations are kept with. */
export interface RevocationsComponents {
  readonly files: TextFiles
  readonly logger: Logger
}

/** Whose node this is, and the file. */
export interface RevocationsInit {
  readonly path: string
  readonly person: Did
  /** The owner's contacts count as met. */
  readonly isContact: (did: Did) => boolean
}

const entry = z.strictObject({ device: z.string().max(128), isBound: z.boolean() })
const file = z.strictObject({
  version: z.literal(1),
  own: z.base64().optional(),
  recent: z.array(z.base64()).max(RECENT_LISTS_MAX),
  people: z
    .array(
      z.strictObject({ person: z.string().max(128), revoked: z.array(entry).max(REVOKED_OF_PERSON_MAX) })
    )
    .max(PEOPLE_KEPT_MAX)
})

/**
 * Opens the revocations at `path`; none only when there is no file.
 *
 * @throws NodeError `ERR_CONFIG_INVALID` rather than trust a device that was revoked, DidError an `ERR_FILE_…` code
 */
export async function openRevocations(
  { files, logger }: RevocationsComponents,
  init: RevocationsInit
): Promise<Revocations> {
  const book = new RevocationBook(init)
  await load(book, files, init.path)
  const save = createSaver(async () => {
    await files.replace(init.path, JSON.stringify(book.toFile()) + '\n')
  })
  const saveSoon = (): void => {
    save().catch((thrown: unknown) => {
      logger.error('revoked devices could not be written', { reason: errorMessage(thrown) })
    })
  }
  let onMet: ((person: Did) => void) | undefined
  return {
    isRevoked: (person, device) => {
      const wasKept = book.isKept(person)
      const isRevoked = book.spoke(person, device)
      // Who was met is remembered: what is revoked later, by whatever way it comes, is then kept too.
      if (!wasKept && book.isKept(person)) saveSoon()
      onMet?.(person)
      return isRevoked
    },
    isRevokedDevice: (device) => book.isBarred(device),
    take: async (list) => {
      const taken = book.take(list)
      if (taken.isNews && book.isKept(list.person)) await save()
      return taken
    },
    own: () => book.own,
    ownRevoked: () => [...(book.people.get(init.person)?.keys() ?? [])],
    recent: () => [...book.recent.values()].reverse(),
    isContact: (person) => init.isContact(person),
    onMet: (handler) => {
      onMet = handler
      return { [Symbol.dispose]: () => (onMet = undefined) }
    }
  }
}

/**
 * Verifies a list from anywhere.
 *
 * @throws DidError as `openDeviceList`
 */
export function readList(bytes: Uint8Array): SignedList {
  const copy = Uint8Array.from(bytes)
  const digest = createHash('sha256')
    .update(copy)
    .digest('hex')
    .slice(0, 2 * DIGEST_BYTES)
  return { ...openDeviceList(copy), bytes: copy, digest }
}

async function load(book: RevocationBook, files: TextFiles, path: string): Promise<void> {
  const text = await files.read(path, DEVICES_FILE_BYTES_MAX)
  if (text === undefined) return
  try {
    const { own, people, recent } = file.parse(JSON.parse(text))
    for (const { person, revoked } of people) {
      const who = parseDid(person)
      book.met.add(who)
      for (const { device, isBound } of revoked) book.revoke(who, parseDid(device), isBound)
    }
    for (const list of recent) book.take(readList(Buffer.from(list, 'base64')))
    if (own !== undefined) book.take(readList(Buffer.from(own, 'base64')))
  } catch (cause) {
    throw new NodeError(
      'ERR_CONFIG_INVALID',
      `expected the revoked devices in ${path}, got something else; nothing starts without it: mend it or move it away`,
      { cause }
    )
  }
}

/** What is known, in memory. Everything here only grows, but for what is said of strangers and who spoke long ago. */
class RevocationBook {
  /** Revoked devices of each person, and whether each is known to have been the person's. */
  readonly people = new Map<Did, Map<Did, boolean>>()
  readonly met = new Set<Did>()
  readonly recent = new Map<string, SignedList>()
  own: SignedList | undefined
  readonly #init: RevocationsInit
  readonly #bound = new Set<string>()
  readonly #sequences = new Map<Did, number>()
  /** By whom a device was barred from connecting: those who are kept, and strangers, whose word may be forgotten. */
  readonly #barred = new Set<string>()
  readonly #barredByStrangers = new Map<string, Did>()
  #keptCount = 0

  constructor(init: RevocationsInit) {
    this.#init = init
  }

  isKept(person: Did): boolean {
    return person === this.#init.person || this.met.has(person) || this.#init.isContact(person)
  }

  isBarred(device: string): boolean {
    return this.#barred.has(device) || this.#barredByStrangers.has(device)
  }

  spoke(person: Did, device: Did): boolean {
    remember(this.#bound, `${person} ${device}`, BOUND_MAX)
    const revoked = this.people.get(person)
    if (!this.isKept(person) && this.#hasRoomToMeet()) {
      this.met.add(person)
      this.people.delete(person)
      for (const [one, isBound] of revoked ?? []) this.revoke(person, one, isBound)
    }
    const isRevoked = revoked?.has(device) === true
    if (isRevoked) this.revoke(person, device, true)
    return isRevoked
  }

  revoke(person: Did, device: Did, isBound: boolean): void {
    const revoked = this.people.get(person) ?? new Map<Did, boolean>()
    const isKept = this.isKept(person)
    if (!revoked.has(device)) {
      const isFull = isKept && this.#keptCount >= REVOKED_KEPT_MAX && person !== this.#init.person
      if (revoked.size >= REVOKED_OF_PERSON_MAX || isFull) return
      if (isKept) this.#keptCount++
    }
    // The owner's word about the owner's devices needs no other.
    const isBarred =
      isBound ||
      person === this.#init.person ||
      revoked.get(device) === true ||
      this.#bound.has(`${person} ${device}`)
    revoked.set(device, isBarred)
    this.people.set(person, revoked)
    if (isBarred && isKept) this.#barred.add(device)
    else if (isBarred) this.#barredByStrangers.set(device, person)
    if (!isKept) this.#forgetStrangers()
  }

  take(list: SignedList): TakenList {
    const { person, sequence } = list
    const known = this.people.get(person)
    const revoked = list.revoked.flatMap(({ device }) => (known?.has(device) === true ? [] : [device]))
    for (const { device, statement } of list.revoked) this.revoke(person, device, statement !== undefined)
    const isLater = sequence > (this.#sequences.get(person) ?? 0)
    if (isLater && (person === this.#init.person || list.revoked.length > 0))
      this.#sequences.set(person, sequence)
    if (isLater && person === this.#init.person) this.own = list
    if ((isLater || revoked.length > 0) && list.revoked.length > 0) this.#keepRecent(list)
    while (this.#sequences.size > PEOPLE_MET_MAX) dropFirst(this.#sequences)
    return { isNews: revoked.length > 0 || (isLater && person === this.#init.person), revoked }
  }

  toFile(): z.infer<typeof file> {
    const self = this.#init.person
    const revokers = [...this.people.keys()].filter((person) => this.isKept(person) && person !== self)
    // Those who revoked something before those who were only met, the latest first, should there ever be too many.
    const order = new Set([self, ...revokers, ...[...this.met].reverse()])
    const people = [...order].slice(0, PEOPLE_KEPT_MAX).map((person) => {
      const revoked = [...(this.people.get(person) ?? [])]
      return { person, revoked: revoked.map(([device, isBound]) => ({ device, isBound })) }
    })
    const own = this.own === undefined ? {} : { own: Buffer.from(this.own.bytes).toString('base64') }
    return { version: 1, ...own, recent: this.#recentKept(), people }
  }

  /** The latest of those that concern somebody this node knows, the oldest of them first. */
  #recentKept(): string[] {
    const kept: string[] = []
    let bytes = 0
    for (const list of [...this.recent.values()].reverse()) {
      bytes += list.bytes.length
      if (bytes > RECENT_KEPT_BYTES_MAX) break
      if (this.isKept(list.person)) kept.unshift(Buffer.from(list.bytes).toString('base64'))
    }
    return kept
  }

  /** Whoever revoked nothing and was met longest ago gives way. */
  #hasRoomToMeet(): boolean {
    if (this.met.size < PEOPLE_MET_MAX) return true
    const idle = this.met.values().find((person) => !this.people.has(person))
    return idle !== undefined && this.met.delete(idle)
  }

  #keepRecent(list: SignedList): void {
    this.recent.delete(list.digest)
    this.recent.set(list.digest, list)
    const others = [...this.recent.values()].filter(({ person }) => person === list.person)
    for (const old of others.slice(0, -RECENT_OF_PERSON_MAX)) this.recent.delete(old.digest)
    while (this.recent.size > RECENT_LISTS_MAX) dropFirst(this.recent)
  }

  #forgetStrangers(): void {
    if (this.people.size <= STRANGERS_MAX) return
    const strangers = [...this.people.keys()].filter((person) => !this.isKept(person))
    for (const person of strangers.slice(0, Math.max(0, strangers.length - STRANGERS_MAX))) {
      for (const device of this.people.get(person)?.keys() ?? []) {
        if (this.#barredByStrangers.get(device) === person) this.#barredByStrangers.delete(device)
      }
      this.people.delete(person)
    }
  }
}

/** Writes what is there when it begins; whoever asks meanwhile shares the next turn. */
function createSaver(write: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return async () => {
    if (next === undefined) {
      const turn = async (): Promise<void> => {
        next = undefined
        await write()
      }
      next = last.then(turn, turn)
      last = next.catch(() => undefined)
    }
    await next
  }
}

function remember(set: Set<string>, name: string, sizeMax: number): void {
  set.delete(name)
  set.add(name)
  while (set.size > sizeMax) for (const oldest of set.keys().take(1)) set.delete(oldest)
}

function dropFirst<K>(map: Map<K, unknown>): void {
  for (const oldest of map.keys().take(1)) map.delete(oldest)
}
