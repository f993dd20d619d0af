import { createHash } from 'node:crypto'
import { errorCode, orAborted, type Clock, type Logger } from '#contracts'
import {
  CONNECT_TIMEOUT_MS,
  EXCHANGE_TIMEOUT_MS,
  MAILBOX_ITEMS_MAX,
  MAILBOX_KEEPERS,
  MAILBOX_MESSAGE_BYTES_MAX,
  MAILBOX_PEERS_ASKED_MAX,
  MAILBOX_PROTOCOL,
  MAILBOX_ROUNDS_MAX
} from '../constants.ts'
import { startDeadline } from '../deadline.ts'
import type { RoomPeer, RoomTransport } from '../transport.ts'
import { addressOf, mailboxCid } from './address.ts'
import {
  decodePutAnswer,
  decodeTakeAnswer,
  encodeMailboxRequest,
  type MailboxOf,
  type MailboxRequest
} from './exchange.ts'

/** Collaborators of a mailbox. */
export interface MailboxComponents {
  readonly transport: Pick<RoomTransport, 'connect' | 'request' | 'findProviders' | 'keepers'>
  readonly clock: Clock
  readonly logger: Logger
}

/** How long to try. */
export interface MailboxOptions {
  readonly signal: AbortSignal
}

/** How to collect. */
export interface CollectOptions extends MailboxOptions {
  /** Where one left off with each keeper, kept up: what was read before does not come again. Absent: everything comes. */
  readonly places?: Map<string, number>
}

/**
 * Messages that other peers keep, for seven days, for whoever knows an address, or for a device. They see how much it is and
 * who brings and takes it; items are to be encrypted before they come here.
 */
export interface Mailbox {
  /**
   * Gives items to peers to keep, in this order; resolves with how many peers say that they keep all of them now, 0 to 3.
   *
   * @param to a box with 32 bytes, from a secret that those share who may read; or the device that may
   * @throws the reason of the signal when nobody took them before
   */
  deposit(to: MailboxOf, items: readonly Uint8Array[], options: MailboxOptions): Promise<number>
  /**
   * Everything that peers keep there, each item once, those of one depositor in their order. Nothing says that it is
   * genuine, nor that it was not collected before. Of devices keepers give to this one only what was left for itself.
   *
   * @throws the reason of the signal
   */
  collect(of: MailboxOf, options: CollectOptions): AsyncIterable<Uint8Array>
}

/** The client of mailboxes. */
export function createMailbox(components: MailboxComponents): Mailbox {
  const { logger } = components
  return {
    deposit: async (to, items, { signal }) => {
      const peers = nearest(components, to).values()
      let keepers = 0
      // Side by side: a peer that hangs holds up one of them only.
      const findOne = async (): Promise<void> => {
        for (const peer of peers) {
          signal.throwIfAborted()
          const isKept = await deposit(components, { peer, of: to, items, signal }).catch(
            (error: unknown) => {
              logger.debug('mailbox not filled', { peer: peer.peerId, code: errorCode(error) })
              return false
            }
          )
          if (!isKept) continue
          keepers++
          return
        }
      }
      await Promise.allSettled(Array.from({ length: MAILBOX_KEEPERS }, findOne))
      if (keepers === 0) signal.throwIfAborted()
      return keepers
    },
    collect: (of, options) => collect(components, of, options)
  }
}

interface Visit {
  readonly peer: RoomPeer
  readonly of: MailboxOf
  readonly signal: AbortSignal
}

async function deposit(
  components: MailboxComponents,
  { items, ...visit }: Visit & { readonly items: readonly Uint8Array[] }
): Promise<boolean> {
  for (let from = 0; from < items.length;) {
    const part = fitting(items.slice(from, from + MAILBOX_ITEMS_MAX))
    const request = { ...visit.of, kind: 'put', items: part } as const
    const { kept } = decodePutAnswer(await ask(components, visit, request))
    if (kept < part.length) return false
    from += part.length
  }
  return true
}

/** As many of the first items as go into one request; one at least. */
function fitting(items: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytesLeft = MAILBOX_MESSAGE_BYTES_MAX - 256
  const count = items.findIndex((item) => (bytesLeft -= item.length + 8) < 0)
  return count < 0 ? items : items.slice(0, Math.max(count, 1))
}

async function* collect(
  components: MailboxComponents,
  of: MailboxOf,
  { signal, places = new Map<string, number>() }: CollectOptions
): AsyncGenerator<Uint8Array> {
  const seen = new Set<string>()
  for (const peer of await findKeepers(components, of, signal)) {
    signal.throwIfAborted()
    try {
      for await (const item of takeAll(components, { peer, of, signal }, places)) {
        const hash = createHash('sha256').update(item).digest('base64url')
        if (!seen.has(hash)) yield item
        seen.add(hash)
      }
    } catch (error) {
      components.logger.debug('mailbox not read', { peer: peer.peerId, code: errorCode(error) })
    }
  }
}

async function* takeAll(
  components: MailboxComponents,
  visit: Visit,
  places: Map<string, number>
): AsyncGenerator<Uint8Array> {
  let after = places.get(visit.peer.peerId) ?? 0
  for (let round = 0; round < MAILBOX_ROUNDS_MAX; round++) {
    const request = { ...visit.of, kind: 'take', after } as const
    const { items, last, hasMore } = decodeTakeAnswer(await ask(components, visit, request))
    yield* items
    places.set(visit.peer.peerId, last)
    // A keeper that does not get on is not asked for ever.
    if (!hasMore || last <= after) return
    after = last
  }
}

async function ask(
  { transport, clock }: MailboxComponents,
  { peer, signal }: Visit,
  request: MailboxRequest
): Promise<Uint8Array> {
  {
    using deadline = startDeadline(clock, CONNECT_TIMEOUT_MS, signal)
    await orAborted(transport.connect(peer, deadline), deadline.signal)
  }
  using deadline = startDeadline(clock, EXCHANGE_TIMEOUT_MS, signal)
  const options = { signal: deadline.signal, responseBytesMax: MAILBOX_MESSAGE_BYTES_MAX }
  const bytes = encodeMailboxRequest(request)
  return await orAborted(transport.request(peer.peerId, MAILBOX_PROTOCOL, bytes, options), deadline.signal)
}

/** Those who say that they keep it, then those whom a depositor would have chosen. */
async function findKeepers(
  components: MailboxComponents,
  of: MailboxOf,
  signal: AbortSignal
): Promise<readonly RoomPeer[]> {
  const found = new Map<string, RoomPeer>()
  const cid = await mailboxCid(addressOf(of))
  for await (const peer of components.transport.findProviders(cid, { signal, quick: true })) {
    if (!found.has(peer.peerId)) found.set(peer.peerId, peer)
    if (found.size >= MAILBOX_PEERS_ASKED_MAX) break
  }
  for (const peer of nearest(components, of)) {
    if (found.size >= MAILBOX_PEERS_ASKED_MAX) break
    if (!found.has(peer.peerId)) found.set(peer.peerId, peer)
  }
  return [...found.values()]
}

/** The connected peers, in an order that is the same for everybody who is connected to the same ones. */
function nearest({ transport }: MailboxComponents, of: MailboxOf): readonly RoomPeer[] {
  const address = addressOf(of)
  const distance = (peerId: string): string =>
    createHash('sha256').update(address).update(peerId).digest('hex')
  return (transport.keepers?.() ?? [])
    .map((peerId) => ({ peerId, multiaddrs: [], distance: distance(peerId) }))
    .sort((one, other) => (one.distance < other.distance ? -1 : 1))
    .slice(0, MAILBOX_PEERS_ASKED_MAX)
}
