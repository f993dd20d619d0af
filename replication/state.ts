import * as z from 'zod'
import { errorMessage, type Logger } from '#contracts'
import { decodeCanonical, encodeCanonical, parseDid, type Did } from '#did'
import {
  GOAL_BYTES_MAX,
  LABEL_CHARS_MAX,
  MESSAGE_BYTES_MAX,
  NONCE_BYTES,
  PREPARED_PER_HOLDER
} from './constants.ts'
import { openGroup, type Group } from './groups.ts'
import { bytesOf, openGoal, wholeNumber } from './records.ts'
import type { PreparedAnswer } from './prepared.ts'
import type { Goal, PoolId, ReplicaStore, Root } from './types.ts'

/** What the owner of this device gives to others. */
export interface OfferChoice {
  readonly spaceBytes: number
  /** Most of it for what one publisher publishes. */
  readonly publisherBytesMax: number
  /** Keeps for whoever asks too. */
  readonly isVolunteer: boolean
  /** What fails together with this device; `''`: the device itself. */
  readonly host: string
  readonly network: string
}

/** A goal and the bytes that were signed. */
export interface SignedGoal {
  readonly goal: Goal
  readonly signed: Uint8Array
}

/** Something kept on behalf of others. */
export interface Holding extends SignedGoal {
  readonly bytes: number
  readonly blocks: number
  /** Since when, milliseconds since the Unix epoch. */
  readonly sinceMs: number
}

/** A group that was joined, or made. */
export interface JoinedGroup {
  readonly group: Group
  readonly signed: Uint8Array
}

const choice: z.ZodType<OfferChoice> = z.strictObject({
  spaceBytes: wholeNumber,
  publisherBytesMax: wholeNumber,
  isVolunteer: z.boolean(),
  host: z.string().max(LABEL_CHARS_MAX),
  network: z.string().max(LABEL_CHARS_MAX)
})
const holding = z.strictObject({
  goal: bytesOf(GOAL_BYTES_MAX),
  bytes: wholeNumber,
  blocks: wholeNumber,
  sinceMs: wholeNumber
})

const CHOICE = 'choice'
const FOLLOW = 'follow/'
const GROUP = 'group/'
const GOAL = 'goal/'
const HELD = 'held/'
const PREPARED = 'prepared/'
/** A nonce and its answer, one after the other. */
const PAIR_BYTES = 2 * NONCE_BYTES

/** What was agreed, wanted and held: in memory for reading, in the store before a change returns. */
export class ReplicaState {
  readonly followed: Set<Did> = new Set()
  readonly groups: Map<PoolId, JoinedGroup> = new Map()
  /** What the person of this device wants kept; withdrawn goals too for a while, so that late holders hear of it. */
  readonly goals: Map<Root, SignedGoal> = new Map()
  readonly held: Map<Root, Holding> = new Map()
  /** Challenges that were prepared for holders, with their answers. */
  readonly #prepared = new Map<Root, Map<Did, readonly PreparedAnswer[]>>()
  #choice: OfferChoice | undefined
  readonly #store: ReplicaStore

  constructor(store: ReplicaStore) {
    this.#store = store
  }

  /** What is given; `undefined` while nothing was said. */
  get choice(): OfferChoice | undefined {
    return this.#choice
  }

  async setChoice(value: OfferChoice): Promise<void> {
    await this.#store.put(CHOICE, encodeCanonical({ ...value }))
    this.#choice = value
  }

  async follow(person: Did): Promise<void> {
    await this.#store.put(FOLLOW + person, new Uint8Array())
    this.followed.add(person)
  }

  async unfollow(person: Did): Promise<void> {
    await this.#store.delete(FOLLOW + person)
    this.followed.delete(person)
  }

  async putGroup(signed: Uint8Array): Promise<Group> {
    const group = openGroup(signed)
    await this.#store.put(GROUP + group.id, signed)
    this.groups.set(group.id, { group, signed })
    return group
  }

  async removeGroup(id: PoolId): Promise<void> {
    await this.#store.delete(GROUP + id)
    this.groups.delete(id)
  }

  async putGoal(signed: Uint8Array): Promise<Goal> {
    const goal = openGoal(signed)
    await this.#store.put(GOAL + goal.root, signed)
    this.goals.set(goal.root, { goal, signed })
    return goal
  }

  async removeGoal(root: Root): Promise<void> {
    await this.dropPrepared(root)
    await this.#store.delete(GOAL + root)
    this.goals.delete(root)
  }

  async putPrepared(root: Root, holder: Did, answers: readonly PreparedAnswer[]): Promise<void> {
    const pairs = answers.flatMap(({ nonce, expected }) => [nonce, expected])
    await this.#store.put(`${PREPARED}${root}/${holder}`, Uint8Array.from(Buffer.concat(pairs)))
    const ofRoot = this.#prepared.get(root) ?? new Map<Did, readonly PreparedAnswer[]>()
    ofRoot.set(holder, answers)
    this.#prepared.set(root, ofRoot)
  }

  /** One that was prepared for a holder. It is gone from the store before it is given: none is used twice, not after a crash. */
  async takePrepared(root: Root, holder: Did): Promise<PreparedAnswer | undefined> {
    const [first, ...rest] = this.#prepared.get(root)?.get(holder) ?? []
    if (first !== undefined) await this.putPrepared(root, holder, rest)
    return first
  }

  /** How many are left for a holder. */
  preparedFor(root: Root, holder: Did): number {
    return this.#prepared.get(root)?.get(holder)?.length ?? 0
  }

  async dropPrepared(root: Root): Promise<void> {
    for (const holder of this.#prepared.get(root)?.keys() ?? []) {
      await this.#store.delete(`${PREPARED}${root}/${holder}`)
    }
    this.#prepared.delete(root)
  }

  async putHeld(one: Holding): Promise<void> {
    const { goal, signed, bytes, blocks, sinceMs } = one
    await this.#store.put(HELD + goal.root, encodeCanonical({ goal: signed, bytes, blocks, sinceMs }))
    this.held.set(goal.root, one)
  }

  async removeHeld(root: Root): Promise<void> {
    await this.#store.delete(HELD + root)
    this.held.delete(root)
  }

  /** Reads one entry of the store. */
  load(key: string, value: Uint8Array): void {
    if (key === CHOICE) this.#choice = choice.parse(read(value))
    else if (key.startsWith(FOLLOW)) this.followed.add(parseDid(key.slice(FOLLOW.length)))
    else if (key.startsWith(GROUP)) {
      const group = openGroup(value)
      this.groups.set(group.id, { group, signed: value })
    } else if (key.startsWith(GOAL)) {
      const goal = openGoal(value)
      this.goals.set(goal.root, { goal, signed: value })
    } else if (key.startsWith(HELD)) {
      const { goal: signed, ...rest } = holding.parse(read(value))
      const goal = openGoal(signed)
      this.held.set(goal.root, { goal, signed, ...rest })
    } else if (key.startsWith(PREPARED)) this.#loadPrepared(key.slice(PREPARED.length), value)
  }

  #loadPrepared(key: string, value: Uint8Array): void {
    const [root = '', holder = ''] = key.split('/')
    const count = value.length / PAIR_BYTES
    if (!Number.isInteger(count) || count > PREPARED_PER_HOLDER) throw new RangeError('expected pairs')
    const answers = Array.from({ length: count }, (_, index): PreparedAnswer => {
      const pair = Uint8Array.from(value.subarray(index * PAIR_BYTES, (index + 1) * PAIR_BYTES))
      return { nonce: pair.subarray(0, NONCE_BYTES), expected: pair.subarray(NONCE_BYTES) }
    })
    const ofRoot = this.#prepared.get(root) ?? new Map<Did, readonly PreparedAnswer[]>()
    ofRoot.set(parseDid(holder), answers)
    this.#prepared.set(root, ofRoot)
  }
}

/** Opens what is remembered. An entry that cannot be read is left out and said in the log: its copy is made anew. */
export async function openState(store: ReplicaStore, logger: Logger): Promise<ReplicaState> {
  const state = new ReplicaState(store)
  for await (const [key, value] of store.entries('')) {
    try {
      state.load(key, value)
    } catch (thrown) {
      logger.error('an entry about replicas is unreadable', { key, reason: errorMessage(thrown) })
    }
  }
  return state
}

function read(value: Uint8Array): unknown {
  return decodeCanonical(value, { bytesMax: MESSAGE_BYTES_MAX })
}
