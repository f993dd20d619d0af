import type { Libp2p } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'
import type { Clock, Logger, Random } from '#contracts'
import { createAnnouncedAddresses } from './announced-addresses.ts'
import type { Judge } from './confidence.ts'
import { DHT_DATASTORE_PREFIX } from './constants.ts'
import type { DhtService, DhtTable } from './dht-service.ts'
import type { StartingPeer } from './joiner.ts'
import type { HostServices, Role } from './libp2p-options.ts'
import { createSweepStateFile } from './provide/sweep-state.ts'
import { startSweeper } from './provide/sweeper.ts'
import type { Sweeper } from './provide/sweeper.ts'
import type { QueryEngine } from './query/index.ts'
import type { Reach } from './reach.ts'
import { startRelayWatch } from './relay-watch.ts'
import type { RelayWatch } from './relay-watch.ts'
import { startTableCare } from './table-care.ts'
import { startTableRefresh } from './table-refresh.ts'
import type { TableRefresh } from './table-refresh.ts'

/** What keeps a host in shape in the background. */
export interface Upkeep extends AsyncDisposable {
  readonly table: TableRefresh
  readonly sweeper: Sweeper
  readonly relays: RelayWatch
}

/** What upkeep is made of. */
export interface UpkeepComponents {
  readonly libp2p: Libp2p<HostServices>
  readonly dht: Pick<DhtService, 'records' | 'providers' | 'book'>
  readonly table: DhtTable
  /** How our DHT is asked. */
  readonly queries: QueryEngine
  /** Learns how large the network is from every lookup. */
  readonly judge: Pick<Judge, 'learn'>
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** How a host is kept in shape. */
export interface UpkeepInit {
  readonly reach: Reach
  readonly role?: Role
  readonly seeds: readonly StartingPeer[]
  /** Relays to hold reservations at; by default seeds, for a peer of reach `public`. */
  readonly relays: readonly StartingPeer[] | undefined
}

/** Starts what keeps a host in shape. */
export function startUpkeep(components: UpkeepComponents, init: UpkeepInit): Upkeep {
  const { libp2p, dht, datastore } = components
  const queries = learnFrom(components)
  using starting = new DisposableStack()
  const stack = new AsyncDisposableStack()
  starting.defer(() => void stack.disposeAsync())
  const table = stack.use(
    startTableRefresh({ ...components, queries, ownKey: libp2p.peerId.toMultihash().bytes })
  )
  const sweeper = stack.use(
    startSweeper({
      ...components,
      ...dht,
      network: queries,
      state: createSweepStateFile(datastore, DHT_DATASTORE_PREFIX),
      addresses: createAnnouncedAddresses({ datastore, addresses: () => libp2p.getMultiaddrs().map(String) })
    })
  )
  stack.use(startTableCare(components))
  const relays = stack.use(startRelayWatch(components, { relays: relaysOf(init) }))
  starting.move()
  return { table, sweeper, relays, [Symbol.asyncDispose]: async () => await stack.disposeAsync() }
}

function learnFrom({ queries, judge }: UpkeepComponents): Pick<QueryEngine, 'lookup' | 'announceTo'> {
  return {
    lookup: async (key, signal, options) => {
      const peers = await queries.lookup(key, signal, options)
      judge.learn(
        key,
        peers.map(({ peerId }) => peerId)
      )
      return peers
    },
    announceTo: async (peer, keys, signal) => await queries.announceTo(peer, keys, signal)
  }
}

function relaysOf({ reach, role = 'peer', seeds, relays }: UpkeepInit): readonly StartingPeer[] {
  // a relay makes a node reachable from everywhere, which only reach public asks for
  if (relays !== undefined) return reach === 'local' ? [] : relays
  return reach === 'public' && role === 'peer' ? seeds : []
}
