import { Key, type Datastore } from 'interface-datastore'
import type { Clock, Logger, Random } from '#contracts'
import type { Host } from '#dht'
import type { Did, Keystore } from '#did'
import { startRooms, type Rooms, type RoomStore, type RoomTransport } from '#rooms'

/** What rooms need of the other parts of a node. */
export interface RoomServiceComponents {
  readonly host: Pick<Host, 'addresses' | 'connect' | 'exchange' | 'ownRouting' | 'peers' | 'pubsub'>
  readonly keystore: Pick<Keystore, 'device' | 'certificate'>
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly isDenied: (did: string) => boolean
  readonly isRevoked: (person: Did, device: Did) => boolean
}

/** Joins rooms to the network of this node. */
export async function startRoomService(components: RoomServiceComponents): Promise<Rooms> {
  const { host, keystore, datastore, ...seams } = components
  return await startRooms({
    ...seams,
    signer: keystore.device,
    certificate: keystore.certificate,
    transport: createRoomTransport(host),
    store: createRoomStore(datastore)
  })
}

const PREFIX = '/room/1/'

/** Where rooms remember: a part of the datastore of the node, whose batches are atomic. */
export function createRoomStore(datastore: Datastore): RoomStore {
  const keyOf = (key: string): Key => new Key(PREFIX + key, false)
  return {
    write: async (changes) => {
      const batch = datastore.batch()
      for (const { key, value } of changes) {
        if (value === undefined) batch.delete(keyOf(key))
        else batch.put(keyOf(key), value)
      }
      await batch.commit()
    },
    get: async (key) => {
      try {
        return await datastore.get(keyOf(key))
      } catch (error) {
        if (error instanceof Error && error.name === 'NotFoundError') return undefined
        throw error
      }
    },
    entries: async function* (prefix) {
      for await (const { key, value } of datastore.query({ prefix: PREFIX + prefix })) {
        yield [key.toString().slice(PREFIX.length), value] as const
      }
    }
  }
}

/** The host as a room sees it. */
export function createRoomTransport(host: RoomServiceComponents['host']): RoomTransport {
  const { exchange, pubsub, ownRouting: routing } = host
  return {
    addresses: () => host.addresses(),
    // The first acknowledgement is enough for others to find us; the rest of the record's holders follow. Rooms, mailboxes
    // and prekeys announce themselves again for as long as there is something to announce.
    provide: async (cid, options) => {
      await routing.provideQuick(cid, { ...options, transient: true })
    },
    findProviders: (cid, options) => routing.findProviders(cid, options),
    connect: async (peer, { signal }) => {
      await host.connect(peer, signal)
    },
    request: async (...call) => await exchange.request(...call),
    serve: async (protocol, handler, options) => await exchange.serve(protocol, handler, options),
    subscribe: (topic, handler) => pubsub.subscribe(topic, handler),
    publish: async (topic, bytes) => await pubsub.publish(topic, bytes),
    keepers: () => host.peers().map(({ peerId }) => peerId),
    peersOf: (topic) => pubsub.peersOf(topic),
    onPeerJoin: (topic, handler) => pubsub.onPeerJoin(topic, handler)
  }
}
