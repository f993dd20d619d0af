import { createHash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from 'multiformats/hashes/sha2'
import type { Clock, Logger, Random } from '#contracts'
import { errorMessage } from '#contracts'
import { DHT_PROTOCOL } from './constants.ts'
import { startDeadline } from './deadline.ts'
import {
  DISCOVERY_CONNECT_MS_MAX,
  DISCOVERY_INTERVAL_MS,
  DISCOVERY_PARALLEL_DIALS,
  DISCOVERY_PEERS_MAX,
  DISCOVERY_PROVIDE_INTERVAL_MS,
  DISCOVERY_REMEMBERED_MAX,
  DISCOVERY_RETRY_MS_MAX,
  DISCOVERY_RETRY_MS_MIN,
  DISCOVERY_ROUND_MS_MAX
} from './ipfs-constants.ts'
import type { FoundProvider, Routing } from './routing.ts'

/** What somebody turned out to be: of this network, of another, or not to be reached. */
export type Acquaintance = 'member' | 'stranger' | 'unreachable'

/** What {@link startIpfsDiscovery} works with. */
export interface IpfsDiscoveryComponents {
  /** The IPFS DHT. */
  readonly routing: Pick<Routing, 'provide' | 'findProviders' | 'forget'>
  /** Connects to a peer and finds out whether it speaks our protocol; leaves no connection to a stranger behind. */
  readonly meet: (peer: FoundProvider, signal: AbortSignal) => Promise<Acquaintance>
  /** How many peers of this network are in our routing table. */
  readonly tableSize: () => number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Looks for peers of this network in the IPFS DHT, in the background. */
export interface IpfsDiscovery extends AsyncDisposable {
  /** How many members it has connected to. */
  membersMet(): number
  /** Searches once, now; the result is how many members were connected to. */
  searchNow(signal: AbortSignal): Promise<number>
}

/**
 * The CID under which peers that speak `protocol` announce themselves: raw, SHA-256 of `elastos/discover/1` and the
 * protocol id, so that another version of the protocol meets elsewhere.
 */
export function discoveryCid(protocol: string = DHT_PROTOCOL): CID {
  const digest = createHash('sha256').update(`elastos/discover/1 ${protocol}`).digest()
  return CID.createV1(raw.code, createDigest(sha256.code, digest))
}

/** Starts announcing this node and searching for others until disposed; then it is not announced anew any more. */
export function startIpfsDiscovery(components: IpfsDiscoveryComponents): IpfsDiscovery {
  const stopping = new AbortController()
  const logger = components.logger.child('discovery')
  const state: State = { members: new Set(), strangers: new Set() }
  const context: Context = { ...components, logger, state, cid: discoveryCid() }
  const loops = Promise.all([
    repeat(context, stopping.signal, announceOnce),
    repeat(context, stopping.signal, searchOnce)
  ]).catch(() => undefined)
  return {
    membersMet: () => state.members.size,
    searchNow: (signal) => search(context, AbortSignal.any([signal, stopping.signal])),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await loops
      await components.routing.forget(context.cid).catch(() => undefined)
    }
  }
}

interface State {
  readonly members: Set<string>
  readonly strangers: Set<string>
}

interface Context extends IpfsDiscoveryComponents {
  readonly state: State
  readonly cid: CID
}

/** One turn of a loop: the result is how long to wait after success, `undefined` when it was in vain. */
type Turn = (context: Context, signal: AbortSignal) => Promise<number | undefined>

async function repeat(context: Context, signal: AbortSignal, turn: Turn): Promise<void> {
  const { clock, random, logger } = context
  let retryMs = DISCOVERY_RETRY_MS_MIN
  while (!signal.aborted) {
    let waitMs: number | undefined
    try {
      waitMs = await turn(context, signal)
    } catch (error) {
      if (!signal.aborted) logger.debug('discovery in vain', { turn: turn.name, reason: errorMessage(error) })
    }
    retryMs = waitMs === undefined ? Math.min(retryMs * 2, DISCOVERY_RETRY_MS_MAX) : DISCOVERY_RETRY_MS_MIN
    // jitter, so that nodes that were started together do not ask together for ever
    await clock.sleep((waitMs ?? retryMs) * (0.75 + random.unit() / 2), signal)
  }
}

const announceOnce: Turn = async ({ routing, cid, clock }, signal) => {
  using deadline = startDeadline(clock, DISCOVERY_ROUND_MS_MAX, signal)
  const { stored } = await routing.provide(cid, { signal: deadline.signal, transient: true })
  return stored > 0 ? DISCOVERY_PROVIDE_INTERVAL_MS : undefined
}

const searchOnce: Turn = async (context, signal) => {
  const met = await search(context, signal)
  if (met > 0) context.logger.info('peers of this network met through IPFS', { met })
  return context.tableSize() > 0 ? DISCOVERY_INTERVAL_MS : undefined
}

async function search(context: Context, signal: AbortSignal): Promise<number> {
  const { routing, cid, clock, state } = context
  using deadline = startDeadline(clock, DISCOVERY_ROUND_MS_MAX, signal)
  const meetings = new Set<Promise<void>>()
  let tried = 0
  let met = 0
  for await (const peer of routing.findProviders(cid, { signal: deadline.signal })) {
    if (state.strangers.has(peer.peerId)) continue
    if (meetings.size >= DISCOVERY_PARALLEL_DIALS) await Promise.race(meetings)
    const meeting = meetOne(context, peer, deadline.signal).then((isMember) => {
      met += Number(isMember)
      meetings.delete(meeting)
    })
    meetings.add(meeting)
    if (++tried >= DISCOVERY_PEERS_MAX) break
  }
  await Promise.all(meetings)
  return met
}

async function meetOne(context: Context, peer: FoundProvider, signal: AbortSignal): Promise<boolean> {
  const { meet, clock, state, logger } = context
  using deadline = startDeadline(clock, DISCOVERY_CONNECT_MS_MAX, signal)
  try {
    const acquaintance = await meet(peer, deadline.signal)
    if (acquaintance === 'stranger') remember(state.strangers, peer.peerId)
    if (acquaintance === 'member') remember(state.members, peer.peerId)
    return acquaintance === 'member'
  } catch (error) {
    logger.debug('discovered peer not met', { peerId: peer.peerId, reason: errorMessage(error) })
    return false
  }
}

/** A full memory forgets the oldest: the worst is that a peer is dialled again. */
function remember(memory: Set<string>, peerId: string): void {
  memory.add(peerId)
  const [oldest] = memory
  if (memory.size > DISCOVERY_REMEMBERED_MAX && oldest !== undefined) memory.delete(oldest)
}
