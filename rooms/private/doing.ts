import { orAborted } from '#contracts'
import type { Did } from '#did'
import { RoomError } from '../errors.ts'
import { parseRoomName } from '../text.ts'
import { GROUP_ID_BYTES, PREKEYS_SEARCHES_MS, PREKEYS_SEARCH_AGAIN_MS } from './constants.ts'
import { currentMembers, isIn, type Conversation, type StepContext } from './conversation.ts'
import type { ConversationInfo } from './info.ts'
import type { Keeper } from './keeper.ts'
import { readPrekey, type Prekey } from './prekeys.ts'
import { statusOf, type PrivateRooms, type PrivateRoomsComponents } from './types.ts'
import { askFor, foundConversation, sayIn } from './speaking.ts'

/** What the user of private rooms does. */
export type Doing = Pick<PrivateRooms, 'sayTo' | 'say' | 'createRoom' | 'invite' | 'remove' | 'leave'>

/** What doing needs. */
export interface DoingParts extends Pick<PrivateRoomsComponents, 'prekeys' | 'random' | 'clock'> {
  readonly keeper: Keeper
  readonly context: () => StepContext
  /** Takes in devices of the two persons of a conversation that are not in it yet, when there is time. */
  readonly lookFor: (group: string) => void
}

/** What a user does, over the conversations that `keeper` has. */
export function createDoing(parts: DoingParts): Doing {
  const { keeper, context } = parts
  const { own } = context().suite
  const opened = openOnce(async (person, signal) => await openDirect(parts, person, signal))
  return {
    say: async (group, text) => await say(parts, group, text),
    sayTo: async (person, text, { signal }) => {
      if (person === own.person)
        throw new RoomError('ERR_PRIVATE_REFUSED', 'expected somebody else to talk to')
      // what waits for a conversation comes before what is said after it, also when the other side opened one meanwhile
      const known = opened.isUnderWay(person) ? undefined : directWith(keeper, person)
      if (known !== undefined) parts.lookFor(known)
      const group = known ?? (await opened.group(person, signal))
      return { group, ...(await say(parts, group, text)) }
    },
    createRoom: async (name) => {
      const room = { kind: 'room', name: parseRoomName(name), persons: [] } as const
      const group = await keeper.open(async () => ({
        ...{ conversation: await found(parts, room), outgoing: [], events: [] }
      }))
      return statusOf(keeper.get(group))
    },
    invite: async (group, person, { signal }) => await invite(parts, { group, person, signal }),
    remove: async (group, person) => await takeOut(parts, group, person),
    leave: async (group) => {
      await takeOut(parts, group, own.person)
      await keeper.forget(group)
    }
  }
}

async function say(
  { keeper, context }: DoingParts,
  group: string,
  text: string
): Promise<{ id: string; devices: number }> {
  return await keeper.change(group, async (conversation) => {
    const step = await sayIn(context(), conversation, text)
    return { step, value: { id: step.id, devices: step.outgoing.length } }
  })
}

interface Opening {
  readonly group: Promise<string>
  readonly stopping: AbortController
  waiting: number
}

/**
 * Opens the conversation with a person once for all who want to say something meanwhile, so that their words come in the order in
 * which they were said; ends when none of them waits any more.
 */
function openOnce(open: (person: Did, signal: AbortSignal) => Promise<string>): {
  isUnderWay(person: Did): boolean
  group(person: Did, signal: AbortSignal): Promise<string>
} {
  const openings = new Map<Did, Opening>()
  const begin = (person: Did): Opening => {
    const stopping = new AbortController()
    const group = open(person, stopping.signal)
    const opening: Opening = { group, stopping, waiting: 0 }
    const forget = (): void => {
      if (openings.get(person) === opening) openings.delete(person)
    }
    stopping.signal.addEventListener('abort', forget, { once: true })
    group.then(forget, forget)
    openings.set(person, opening)
    return opening
  }
  return {
    isUnderWay: (person) => openings.has(person),
    group: async (person, signal) => {
      signal.throwIfAborted()
      const opening = openings.get(person) ?? begin(person)
      opening.waiting += 1
      try {
        return await orAborted(opening.group, signal)
      } finally {
        opening.waiting -= 1
        if (opening.waiting === 0) opening.stopping.abort(signal.reason)
      }
    }
  }
}

async function openDirect(parts: DoingParts, person: Did, signal: AbortSignal): Promise<string> {
  const { keeper, context } = parts
  const { own } = context().suite
  const theirs = await takeSome(parts, person, {
    signal,
    isNeeded: () => directWith(keeper, person) === undefined
  })
  const meanwhile = directWith(keeper, person)
  if (meanwhile !== undefined) return meanwhile
  const add = [...theirs, ...(await take(parts, own.person, signal)).prekeys]
  return await keeper.open(async () => {
    const known = directWith(keeper, person)
    if (known !== undefined) return known
    const persons = [own.person, person].sort()
    const conversation = await found(parts, { kind: 'direct', name: '', persons })
    return await askFor(context(), conversation, { add, remove: [] })
  })
}

async function invite(
  parts: DoingParts,
  { group, person, signal }: { group: string; person: Did; signal: AbortSignal }
): Promise<void> {
  const { keeper, context } = parts
  if (keeper.get(group).info.kind === 'direct')
    throw new RoomError('ERR_PRIVATE_REFUSED', 'expected a room, not a conversation of two')
  const prekeys = await takeSome(parts, person, { signal })
  await keeper.change(group, async (conversation) => {
    const members = currentMembers(conversation)
    const add = prekeys.filter(({ device }) => members.every((member) => member.device !== device))
    return { step: await askFor(context(), conversation, { add, remove: [] }), value: undefined }
  })
}

async function takeOut({ keeper, context }: DoingParts, group: string, person: Did): Promise<void> {
  const { own } = context().suite
  await keeper.change(group, async (conversation) => {
    if (conversation.info.foundedBy !== own.person && person !== own.person)
      throw new RoomError('ERR_PRIVATE_REFUSED', 'expected a room that you founded')
    const devices = currentMembers(conversation).filter((member) => member.person === person)
    const remove = devices.map(({ device }) => device)
    return { step: await askFor(context(), conversation, { add: [], remove }), value: undefined }
  })
}

/** One valid prekey for each device of a person but this one, and whether that one was found. */
async function take(
  { prekeys, context }: DoingParts,
  person: Did,
  signal: AbortSignal
): Promise<{ readonly prekeys: readonly Prekey[]; readonly isOwnFound: boolean }> {
  const taken: Prekey[] = []
  let isOwnFound = false
  for (const bytes of await prekeys.take(person, { signal })) {
    const { suite, signer, nowMs } = context()
    const prekey = await readPrekey(suite, bytes, nowMs).catch(() => undefined)
    const isNew = prekey?.person === person && taken.every(({ device }) => device !== prekey.device)
    if (isNew && prekey.device === signer.did) isOwnFound = true
    else if (isNew) taken.push(prekey)
  }
  return { prekeys: taken, isOwnFound }
}

/**
 * Prekeys of a person who has published some, or does within seconds: somebody new is often called at once. Those of devices that
 * are revoked, or of others, say nothing of what comes.
 */
async function takeSome(
  parts: DoingParts,
  person: Did,
  { signal, isNeeded = () => true }: { signal: AbortSignal; isNeeded?: () => boolean }
): Promise<readonly Prekey[]> {
  const { clock } = parts
  const sinceMs = clock.monotonicMs()
  for (const waitMs of [0, ...PREKEYS_SEARCH_AGAIN_MS]) {
    if (clock.monotonicMs() - sinceMs + waitMs > PREKEYS_SEARCHES_MS) break
    if (waitMs > 0) await clock.sleep(waitMs, signal)
    if (!isNeeded()) return []
    const { prekeys, isOwnFound } = await take(parts, person, signal)
    if (prekeys.length > 0 || !isNeeded()) return prekeys
    // this person has this device alone
    if (isOwnFound) break
  }
  throw new RoomError('ERR_PRIVATE_PREKEYS', `expected a device of ${person} that published prekeys`)
}

async function found(
  { keeper, context, random }: DoingParts,
  info: Omit<ConversationInfo, 'foundedBy' | 'foundedAtMs'>
): Promise<Conversation> {
  await keeper.makeRoom()
  const { suite, nowMs } = context()
  const says = { ...info, foundedBy: suite.own.person, foundedAtMs: nowMs }
  return await foundConversation(context(), { group: random.bytes(GROUP_ID_BYTES), info: says })
}

/** The conversation with a person: of several, which two who began at once have, the one with the smallest name. */
function directWith(keeper: Keeper, person: Did): string | undefined {
  return [...keeper.conversations.values()]
    .filter((one) => one.info.kind === 'direct' && one.info.persons.includes(person) && isIn(one))
    .filter((one) => currentMembers(one).some((member) => member.person === person))
    .map(({ group }) => group)
    .sort()[0]
}
