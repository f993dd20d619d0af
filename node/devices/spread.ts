import * as z from 'zod'
import { createRate, errorMessage, type Clock, type Logger } from '#contracts'
import type { ExchangeRequest, Host } from '#dht'
import { decodeCanonical, encodeCanonical } from '#did'
import { startCatchUp } from './catch-up.ts'
import {
  DEVICES_MESSAGE_BYTES_MAX,
  DEVICES_PROTOCOL,
  DIGEST_BYTES,
  LISTS_BYTES_MAX,
  LISTS_PER_MESSAGE_MAX,
  MESSAGE_EVERY_MS,
  MESSAGES_BURST,
  RATED_PEERS_MAX,
  RECENT_LISTS_MAX,
  TELL_AT_ONCE_MAX
} from './constants.ts'
import { readList, type Revocations, type SignedList, type TakenList } from './revocations.ts'

/** What spreading works with. */
export interface SpreadComponents {
  readonly host: Pick<Host, 'exchange' | 'onPeer' | 'peers'>
  readonly revocations: Pick<Revocations, 'recent' | 'take'>
  readonly clock: Clock
  readonly logger: Logger
  /** Called with every list that said something new, before others are told. */
  readonly onNews: (list: SignedList, taken: TakenList) => void
}

/** Lists on their way from peer to peer. */
export interface Spread extends AsyncDisposable {
  /** Tells the connected peers, and resolves with how many took it. */
  tell(list: SignedList): Promise<number>
  /** Takes note of a list that came by another way, and tells the others if it is news. */
  take(list: SignedList): Promise<void>
}

const digest = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === DIGEST_BYTES)
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array)
/** Both ways: what I have, what I want of what you have, and lists. */
const message = z.strictObject({
  version: z.literal(1),
  have: z.array(digest).max(RECENT_LISTS_MAX),
  want: z.array(digest).max(LISTS_PER_MESSAGE_MAX),
  lists: z.array(bytes).max(LISTS_PER_MESSAGE_MAX)
})
type Message = z.infer<typeof message>

/**
 * Serves the devices protocol: what a peer tells is taken and told to the other peers, once; a peer that connects is
 * asked what was missed.
 *
 * @see docs/protocols/devices.md
 */
export async function startSpread(components: SpreadComponents): Promise<Spread> {
  const { host, clock } = components
  const stopping = new AbortController()
  const { signal } = stopping
  await using stack = new AsyncDisposableStack()
  const allow = createRate(clock, {
    burst: MESSAGES_BURST,
    everyMs: MESSAGE_EVERY_MS,
    namesMax: RATED_PEERS_MAX
  })
  const core: SpreadCore = { ...components, signal, allow, under: new Set() }
  stack.defer(async () => {
    await Promise.allSettled(core.under)
  })
  stack.use(
    await host.exchange.serve(DEVICES_PROTOCOL, async (request) => await answer(core, request), {
      requestBytesMax: DEVICES_MESSAGE_BYTES_MAX
    })
  )
  stack.use(
    startCatchUp(core, async (peerId) => {
      const asking = catchUp(core, peerId)
      inBackground(core, asking)
      return await asking.catch(() => false)
    })
  )
  stack.defer(() => stopping.abort(new Error('spreading has ended')))
  const running = stack.move()
  return {
    tell: async (list) => await tell(core, list, undefined),
    take: async (list) => await takeAndTell(core, [list], undefined),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
    }
  }
}

interface SpreadCore extends SpreadComponents {
  readonly signal: AbortSignal
  readonly allow: (peerId: string) => boolean
  /** What goes on in the background. */
  readonly under: Set<Promise<unknown>>
}

async function answer(core: SpreadCore, { peerId, bytes: asked }: ExchangeRequest): Promise<Uint8Array> {
  if (!core.allow(peerId)) throw new Error('expected fewer messages from this peer')
  const { have, want, lists } = readMessage(asked)
  const recent = core.revocations.recent()
  await takeAndTell(core, readLists(lists), peerId)
  const theirs = new Set(have.map(hexOf))
  const wanted = new Set(want.map(hexOf))
  const mine = new Set(recent.map((list) => list.digest))
  const missing = recent.filter(
    (list) => wanted.has(list.digest) || (have.length > 0 && !theirs.has(list.digest))
  )
  return writeMessage({
    have: [],
    want: have.filter((one) => !mine.has(hexOf(one))).slice(0, LISTS_PER_MESSAGE_MAX),
    lists: fitting(have.length > 0 || wanted.size > 0 ? missing : [])
  })
}

async function takeAndTell(
  core: SpreadCore,
  lists: readonly SignedList[],
  from: string | undefined
): Promise<void> {
  for (const list of lists) {
    const taken = await core.revocations.take(list)
    if (!taken.isNews) continue
    core.onNews(list, taken)
    if (taken.revoked.length > 0) inBackground(core, tell(core, list, from))
  }
}

async function tell(core: SpreadCore, list: SignedList, from: string | undefined): Promise<number> {
  const peers = core.host.peers().flatMap(({ peerId }) => (peerId === from ? [] : [peerId]))
  const told = writeMessage({ have: [], want: [], lists: [list.bytes] })
  let count = 0
  const next = async (): Promise<void> => {
    for (let peerId = peers.pop(); peerId !== undefined && !core.signal.aborted; peerId = peers.pop()) {
      if ((await ask(core, peerId, told)) !== undefined) count++
    }
  }
  await Promise.all(Array.from({ length: TELL_AT_ONCE_MAX }, next))
  return count
}

/** A peer's answer; `undefined` when it has none, as peers of other networks and programs. */
async function ask(core: SpreadCore, peerId: string, request: Uint8Array): Promise<Message | undefined> {
  try {
    const options = { signal: core.signal, responseBytesMax: DEVICES_MESSAGE_BYTES_MAX }
    return readMessage(await core.host.exchange.request(peerId, DEVICES_PROTOCOL, request, options))
  } catch (thrown) {
    core.logger.debug('a peer was not told of devices', { peerId, reason: errorMessage(thrown) })
    return undefined
  }
}

/** Asks one peer what was missed, and gives it what it lacks. Whether it answered. */
async function catchUp(core: SpreadCore, peerId: string): Promise<boolean> {
  const recent = core.revocations.recent()
  // Nobody has a list of that name: it says that one wants to hear whatever there is.
  const have = [...recent.map((list) => Buffer.from(list.digest, 'hex')), new Uint8Array(DIGEST_BYTES)]
  const answered = await ask(
    core,
    peerId,
    writeMessage({ have: have.slice(-RECENT_LISTS_MAX), want: [], lists: [] })
  )
  if (answered === undefined) return false
  await takeAndTell(core, readLists(answered.lists), peerId)
  const wanted = new Set(answered.want.map(hexOf))
  const lists = fitting(recent.filter((list) => wanted.has(list.digest)))
  if (lists.length > 0) await ask(core, peerId, writeMessage({ have: [], want: [], lists }))
  return true
}

function readLists(lists: readonly Uint8Array[]): SignedList[] {
  return lists.map(readList)
}

function fitting(lists: readonly SignedList[]): Uint8Array[] {
  const kept: Uint8Array[] = []
  let total = 0
  for (const list of lists.slice(0, LISTS_PER_MESSAGE_MAX)) {
    total += list.bytes.length
    if (total > LISTS_BYTES_MAX) break
    kept.push(list.bytes)
  }
  return kept
}

function readMessage(encoded: Uint8Array): Message {
  return message.parse(
    decodeCanonical(encoded, { bytesMax: DEVICES_MESSAGE_BYTES_MAX, depthMax: 3, itemsMax: 256 })
  )
}

function writeMessage(said: Omit<Message, 'version'>): Uint8Array {
  return encodeCanonical({ version: 1, ...said })
}

function hexOf(one: Uint8Array): string {
  return Buffer.from(one).toString('hex')
}

function inBackground(core: SpreadCore, task: Promise<unknown>): void {
  const ended = task
    .catch((thrown: unknown) => {
      if (!core.signal.aborted)
        core.logger.warn('revoked devices not passed on', { reason: errorMessage(thrown) })
    })
    .finally(() => core.under.delete(ended))
  core.under.add(ended)
}
