import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { createRate, errorCode, orAborted, type Clock, type Logger } from '#contracts'
import { decodeCanonical, didFromPeerId, encodeCanonical, parseDid, peerIdFromDid, type Did } from '#did'
import { PREKEYS_BURST, PREKEYS_EVERY_MS, RATED_MAX } from '../constants.ts'
import { startDeadline, untilAborted } from '../deadline.ts'
import { RoomError } from '../errors.ts'
import type { RoomTransport } from '../transport.ts'
import { readMap } from '../wire.ts'
import {
  DEPOTS_ASKED_MAX,
  DEPOTS_TRIED_MAX,
  DEPOT_ANNOUNCE_MS,
  DEPOT_ANNOUNCEMENTS_MAX,
  DEPOT_DEVICES_OF_PERSON_MAX,
  DEPOT_SEARCH_MS,
  DEPOT_TIMEOUT_MS,
  PREKEYS_ANSWER_BYTES_MAX,
  PREKEYS_EXCHANGE,
  PREKEYS_REQUEST_BYTES_MAX,
  PREKEY_BYTES_MAX,
  PRIVATE_PROTOCOL
} from './constants.ts'
import type { PrekeyDepot } from './depot.ts'
import { decodeKeyPackage } from './prekeys.ts'
import type { PrekeyDirectory } from './types.ts'
import { readCredential } from './suite.ts'

const SHA_256 = 0x12

/** What the directory works with. */
export interface PrekeyNetworkComponents {
  readonly transport: Pick<RoomTransport, 'provide' | 'findProviders' | 'connect' | 'request' | 'serve'>
  /** Peers that may be asked to give out prekeys, the most lasting first. */
  readonly candidates: () => readonly string[]
  /** What this node itself gives out. */
  readonly depot: PrekeyDepot
  readonly own: Did
  readonly clock: Clock
  readonly logger: Logger
}

/** Prekeys over the network: this node gives out those of others, and finds those of anybody. */
export interface PrekeyNetwork extends PrekeyDirectory, AsyncDisposable {}

/**
 * The CID under which those who give out the prekeys of a person announce themselves. No block with that CID exists.
 *
 * @see docs/protocols/private-rooms.md
 */
export function prekeysCid(person: Did): CID {
  const digest = createHash('sha256')
    .update(encodeCanonical([`${PRIVATE_PROTOCOL} prekeys`, person]))
    .digest()
  return CID.createV1(raw.code, createDigest(SHA_256, digest))
}

/** Starts giving out prekeys of others. */
export async function startPrekeyNetwork(components: PrekeyNetworkComponents): Promise<PrekeyNetwork> {
  const { transport, clock, depot } = components
  const isAllowed = createRate(clock, {
    burst: PREKEYS_BURST,
    everyMs: PREKEYS_EVERY_MS,
    namesMax: RATED_MAX
  })
  const stopping = new AbortController()
  const announcing = new Set<Promise<void>>()
  const announce = (person: Did): void => {
    if (announcing.size >= DEPOT_ANNOUNCEMENTS_MAX || stopping.signal.aborted) return
    const task = announceOne(components, person, stopping.signal).finally(() => announcing.delete(task))
    announcing.add(task)
  }
  const announceAll = async (): Promise<void> => {
    for (const person of depot.persons()) {
      if (stopping.signal.aborted) return
      await announceOne(components, person, stopping.signal)
    }
  }
  const handler: Parameters<RoomTransport['serve']>[1] = async ({ peerId, bytes }) => {
    if (!isAllowed(peerId))
      throw new RoomError('ERR_MESSAGE_RATE', 'expected fewer requests for prekeys from this peer')
    const request = readRequest(bytes)
    if (request.kind === 'take') {
      const { person, except } = request
      const prekeys = await depot.take(person, { taker: didFromPeerId(peerId), except })
      return encodeCanonical({ prekeys: [...prekeys] })
    }
    const person = await depot.deposit(request.prekeys, didFromPeerId(peerId))
    announce(person)
    return encodeCanonical({ prekeys: [] })
  }
  const serving = await transport.serve(PREKEYS_EXCHANGE, handler, {
    requestBytesMax: PREKEYS_REQUEST_BYTES_MAX
  })
  const ticking = clock.every(DEPOT_ANNOUNCE_MS, () => void announceAll())
  const starting = announceAll()
  return {
    publish: async (parts, { signal }) => {
      const [own, ...others] = parts
      if (own !== undefined) announce(await depot.deposit(own))
      await leave(components, others, signal)
    },
    take: async (person, options) => await takeAll(components, person, options),
    [Symbol.asyncDispose]: async () => {
      ticking[Symbol.dispose]()
      stopping.abort(new RoomError('ERR_ROOM_CLOSED', 'expected prekeys that are still given out'))
      await serving[Symbol.asyncDispose]()
      await Promise.allSettled([...announcing, starting])
    }
  }
}

async function announceOne(
  { transport, clock, logger }: PrekeyNetworkComponents,
  person: Did,
  stopping: AbortSignal
): Promise<void> {
  using deadline = startDeadline(clock, DEPOT_SEARCH_MS, stopping)
  const { signal } = deadline
  await orAborted(transport.provide(prekeysCid(person), { signal }), signal).catch((error: unknown) => {
    logger.debug('prekeys not announced', { code: errorCode(error) })
  })
}

/** Leaves each part with another peer. @throws RoomError `ERR_PRIVATE_PREKEYS` when nobody takes any */
async function leave(
  components: PrekeyNetworkComponents,
  parts: readonly Uint8Array[],
  signal: AbortSignal
): Promise<void> {
  let left = 0
  for (const peerId of components.candidates().slice(0, DEPOTS_ASKED_MAX)) {
    const prekeys = parts[left]
    if (prekeys === undefined) break
    const answer = await ask(components, peerId, { request: { kind: 'deposit', prekeys }, signal })
    if (answer !== undefined) left++
  }
  if (left === 0) throw new RoomError('ERR_PRIVATE_PREKEYS', 'expected a peer that gives out prekeys')
}

/** One prekey for each device of the person that anybody has. */
async function takeAll(
  components: PrekeyNetworkComponents,
  person: Did,
  options: Parameters<PrekeyDirectory['take']>[1]
): Promise<readonly Uint8Array[]> {
  const { transport, depot, own, clock } = components
  const { signal: stopping, except = [] } = options
  using deadline = startDeadline(clock, DEPOT_SEARCH_MS, stopping)
  const { signal } = deadline
  const found = new Map<Did, Uint8Array>()
  const keep = (prekeys: readonly Uint8Array[]): void => {
    for (const bytes of prekeys) {
      const device = deviceOf(bytes)
      if (device !== undefined && !found.has(device) && !except.includes(device)) found.set(device, bytes)
    }
  }
  keep(await depot.take(person, { taker: own, except }))
  const exceptions = (): readonly Did[] => [...found.keys(), ...except].slice(0, DEPOT_DEVICES_OF_PERSON_MAX)
  const tried = new Set<string>()
  try {
    const providers = transport.findProviders(prekeysCid(person), { signal, quick: false })
    for await (const { peerId, multiaddrs } of untilAborted(providers, signal)) {
      if (tried.has(peerId) || peerId === peerIdFromDid(own)) continue
      tried.add(peerId)
      await orAborted(transport.connect({ peerId, multiaddrs }, { signal }), signal).catch(() => undefined)
      const request = { kind: 'take', person, except: exceptions() } as const
      keep((await ask(components, peerId, { request, signal })) ?? [])
      if (tried.size >= DEPOTS_TRIED_MAX) break
    }
  } catch (error) {
    stopping.throwIfAborted()
    // What was found until the time was over is what there is.
    if (!signal.aborted) throw error
  }
  return [...found.values()]
}

type PrekeyRequest =
  | { readonly kind: 'deposit'; readonly prekeys: Uint8Array }
  | { readonly kind: 'take'; readonly person: Did; readonly except: readonly Did[] }

async function ask(
  { transport, clock, logger }: PrekeyNetworkComponents,
  peerId: string,
  { request, signal }: { readonly request: PrekeyRequest; readonly signal: AbortSignal }
): Promise<readonly Uint8Array[] | undefined> {
  using deadline = startDeadline(clock, DEPOT_TIMEOUT_MS, signal)
  const options = { signal: deadline.signal, responseBytesMax: PREKEYS_ANSWER_BYTES_MAX }
  const bytes = encodeCanonical(
    request.kind === 'take' ? { ...request, except: [...request.except] } : { ...request }
  )
  try {
    const asked = transport.request(peerId, PREKEYS_EXCHANGE, bytes, options)
    return readAnswer(await orAborted(asked, deadline.signal))
  } catch (error) {
    signal.throwIfAborted()
    logger.debug('prekeys not exchanged', { peer: peerId, code: errorCode(error) })
    return undefined
  }
}

function readRequest(bytes: Uint8Array): PrekeyRequest {
  const map = readMap(
    decodeCanonical(bytes, { bytesMax: PREKEYS_REQUEST_BYTES_MAX }),
    ['kind'],
    ['prekeys', 'person', 'except']
  )
  const { kind, prekeys, person, except } = map ?? {}
  if (kind === 'deposit' && prekeys instanceof Uint8Array && person === undefined && except === undefined)
    return { kind, prekeys }
  const isTake = kind === 'take' && typeof person === 'string' && prekeys === undefined
  if (!isTake || !Array.isArray(except) || except.length > DEPOT_DEVICES_OF_PERSON_MAX)
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected prekeys to leave or a person')
  return { kind, person: parseDid(person), except: except.map((did) => parseDid(String(did))) }
}

function readAnswer(bytes: Uint8Array): readonly Uint8Array[] {
  const map = readMap(decodeCanonical(bytes, { bytesMax: PREKEYS_ANSWER_BYTES_MAX }), ['prekeys'])
  const prekeys: unknown = map?.['prekeys']
  if (!Array.isArray(prekeys) || prekeys.length > DEPOT_DEVICES_OF_PERSON_MAX)
    throw new RoomError('ERR_PRIVATE_MALFORMED', 'expected prekeys')
  return prekeys.filter(
    (one): one is Uint8Array => one instanceof Uint8Array && one.length <= PREKEY_BYTES_MAX
  )
}

/** Whose device a prekey is for; whether it holds is found out by who uses it. */
function deviceOf(bytes: Uint8Array): Did | undefined {
  try {
    const { leafNode } = decodeKeyPackage(bytes)
    return readCredential(leafNode.credential, leafNode.signaturePublicKey)?.device
  } catch {
    return undefined
  }
}
