import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import { Key } from 'interface-datastore/key'
import * as z from 'zod'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import {
  KNOWN_PEER_ADDRESSES_MAX,
  KNOWN_PEER_AGE_MAX_MS,
  KNOWN_PEERS_BYTES_MAX,
  KNOWN_PEERS_DIALLED_MAX,
  KNOWN_PEERS_MAX,
  KNOWN_PEERS_RENEW_MS,
  KNOWN_PEERS_SAVE_INTERVAL_MS
} from './constants.ts'
import type { DhtTable } from './dht-service.ts'
import type { StartingPeer } from './joiner.ts'
import { addressKind, parseAddress } from './reach.ts'

/** Where the known peers are kept in the node's datastore. */
const KNOWN_PEERS_KEY = new Key('/elastos/known-peers')

/** A peer that served the DHT, and where and when it last did. */
export interface KnownPeer {
  readonly peerId: string
  /** Without the trailing `/p2p/…`. */
  readonly multiaddrs: readonly string[]
  readonly lastSeenMs: number
}

const KNOWN_PEERS_SCHEMA = z
  .array(
    z.strictObject({
      peerId: z.string().max(128),
      multiaddrs: z.array(z.string().max(512)).max(KNOWN_PEER_ADDRESSES_MAX),
      lastSeenMs: z.int().nonnegative()
    })
  )
  .max(KNOWN_PEERS_MAX)

/** The peers that earlier runs met, and the notes for the next run. */
export interface KnownPeers extends AsyncDisposable {
  /** Whom to dial at a start, seen last first. */
  startingPeers(): Promise<StartingPeer[]>
  /** Writes down the peers that serve the DHT now. */
  save(): Promise<void>
}

/** What known peers are made of. */
export interface KnownPeersComponents {
  readonly datastore: Pick<Datastore, 'get' | 'put' | 'has'>
  readonly libp2p: Pick<Libp2p, 'getConnections' | 'peerStore'>
  readonly table: DhtTable
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Starts noting peers. libp2p's own peer store is not enough to come back with: it forgets addresses after two days, and a
 * node may be off for weeks.
 */
export function startKnownPeers(components: KnownPeersComponents): KnownPeers {
  const { clock, logger } = components
  const save = async (): Promise<boolean> => {
    try {
      return await saveKnownPeers(components)
    } catch (error) {
      logger.warn('known peers not saved', { error: errorMessage(error) })
      return false
    }
  }
  let saved = { peerIds: '', atMs: 0 }
  let isSaving = false
  const saveNews = async (): Promise<void> => {
    const peerIds = [...servingPeers(components).keys()].toSorted().join(' ')
    const nowMs = clock.monotonicMs()
    if (isSaving || (peerIds === saved.peerIds && nowMs - saved.atMs < KNOWN_PEERS_RENEW_MS)) return
    isSaving = true
    // what is not on the disk is tried again a minute later
    if (await save()) saved = { peerIds, atMs: nowMs }
    isSaving = false
  }
  const timer = clock.every(KNOWN_PEERS_SAVE_INTERVAL_MS, () => void saveNews())
  return {
    save: async () => {
      await save()
    },
    startingPeers: async () => {
      const known = await readKnownPeers(components)
      return known.slice(0, KNOWN_PEERS_DIALLED_MAX).flatMap(startingPeer)
    },
    [Symbol.asyncDispose]: async () => {
      timer[Symbol.dispose]()
      await save()
    }
  }
}

async function readKnownPeers({ datastore, clock, logger }: KnownPeersComponents): Promise<KnownPeer[]> {
  try {
    if (!(await datastore.has(KNOWN_PEERS_KEY))) return []
    const bytes = await datastore.get(KNOWN_PEERS_KEY)
    if (bytes.length > KNOWN_PEERS_BYTES_MAX) return []
    const peers = KNOWN_PEERS_SCHEMA.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
    return peers.filter(({ lastSeenMs }) => lastSeenMs > clock.nowMs() - KNOWN_PEER_AGE_MAX_MS)
  } catch (error) {
    // notes that cannot be read are as good as none: seeds remain
    logger.warn('known peers not readable', { error: errorMessage(error) })
    return []
  }
}

/** Whether those who are there now are written down afterwards. */
async function saveKnownPeers(components: KnownPeersComponents): Promise<boolean> {
  const seen = await currentPeers(components)
  if (seen.length === 0) return false
  const ids = new Set(seen.map(({ peerId }) => peerId))
  const earlier = (await readKnownPeers(components)).filter(({ peerId }) => !ids.has(peerId))
  const peers = [...seen, ...earlier].slice(0, KNOWN_PEERS_MAX)
  const bytes = Buffer.from(JSON.stringify(peers))
  if (bytes.length > KNOWN_PEERS_BYTES_MAX) return false
  await components.datastore.put(KNOWN_PEERS_KEY, bytes)
  return true
}

/** The peers in our routing table that we are connected to, by their ids: they serve the DHT and are there. */
function servingPeers({ libp2p, table }: KnownPeersComponents): Map<string, PeerId> {
  const connected = new Map(
    libp2p.getConnections().map(({ remotePeer }) => [remotePeer.toString(), remotePeer])
  )
  const serving = table.peerIds().flatMap((peerId): [string, PeerId][] => {
    const id = connected.get(peerId)
    return id === undefined ? [] : [[peerId, id]]
  })
  return new Map(serving)
}

async function currentPeers(components: KnownPeersComponents): Promise<KnownPeer[]> {
  const { libp2p, clock } = components
  const peers: KnownPeer[] = []
  for (const [peerId, id] of servingPeers(components)) {
    if (peers.length >= KNOWN_PEERS_MAX) break
    const { addresses } = await libp2p.peerStore.get(id).catch(() => ({ addresses: [] }))
    const multiaddrs = addresses
      .map(({ multiaddr }) => multiaddr)
      .filter((address) => addressKind(address) !== 'relay')
      .slice(0, KNOWN_PEER_ADDRESSES_MAX)
      .map(String)
    if (multiaddrs.length > 0) peers.push({ peerId, multiaddrs, lastSeenMs: clock.nowMs() })
  }
  return peers
}

function startingPeer({ peerId, multiaddrs }: KnownPeer): StartingPeer[] {
  try {
    return [{ peerId, multiaddrs: multiaddrs.map((address) => parseAddress(`${address}/p2p/${peerId}`)) }]
  } catch {
    return []
  }
}
