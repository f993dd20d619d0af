import { hkdfSync } from 'node:crypto'
import type { Datastore } from 'interface-datastore'
import { createRate, type Clock, type Logger, type Random } from '#contracts'
import type { Host } from '#dht'
import type { Did, Keystore } from '#did'
import {
  FRAME_BYTES_MAX,
  openPrekeyDepot,
  PRIVATE_BURST,
  PRIVATE_EVERY_MS,
  PRIVATE_EXCHANGE,
  RATED_MAX,
  RoomError,
  startPrekeyNetwork,
  startPrivateRooms,
  type Mailbox,
  type PrivateRooms
} from '#rooms'
import { startReadingMailbox } from './device-mailbox.ts'
import { createPrivateDelivery, TAKEN_BYTES } from './private-delivery.ts'
import { createRoomStore, createRoomTransport } from './rooms.ts'

/** What private rooms need of the other parts of a node. */
export interface PrivateRoomServiceComponents {
  readonly host: Pick<
    Host,
    'addresses' | 'connect' | 'exchange' | 'pubsub' | 'ownRouting' | 'peers' | 'onPeer'
  >
  readonly keystore: Pick<Keystore, 'device' | 'certificate'>
  readonly datastore: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where frames for devices that are away are left, and found. */
  readonly mailbox: Mailbox
  readonly isDenied: (did: string) => boolean
  readonly isRevoked: (person: Did, device: Did) => boolean
}

const STORE_KEY_PURPOSE = 'elastos/private/1 store'
const STORE_KEY_BYTES = 32
const TAKEN: Uint8Array<ArrayBuffer> = new Uint8Array(TAKEN_BYTES).fill(1)

interface Handed {
  readonly peerId: string
  readonly bytes: Uint8Array
}

/** Joins private rooms to the network of this node: frames and prekeys go over exchanges of their own. */
export async function startPrivateRoomService(
  components: PrivateRoomServiceComponents
): Promise<PrivateRooms> {
  const { host, keystore, datastore, mailbox, clock, random, logger, isDenied, isRevoked } = components
  const { device, certificate } = keystore
  await using stack = new AsyncDisposableStack()
  const store = createRoomStore(datastore)
  const depot = await openPrekeyDepot({ store, clock })
  const transport = createRoomTransport(host)
  // Those who called us may be gone soon; those whom we keep connections to were here longer, seeds among them.
  const candidates = (): readonly string[] =>
    [...host.peers()]
      .filter(({ did, relayed }) => did !== undefined && !relayed)
      .sort((one, other) => one.connectedAtMs - other.connectedAtMs)
      .map(({ peerId }) => peerId)
  const network = { transport, candidates, depot, own: device.did, clock, logger }
  const prekeys = stack.use(await startPrekeyNetwork(network))
  const key = hkdfSync('sha256', device.seed, new Uint8Array(), STORE_KEY_PURPOSE, STORE_KEY_BYTES)
  const rooms = stack.use(
    await startPrivateRooms({
      ...{ signer: device, certificate, prekeys, store, clock, random, logger },
      storeKey: new Uint8Array(key),
      isAllowed: (one) =>
        !isDenied(one.person) && !isDenied(one.device) && !isRevoked(one.person, one.device),
      transport: { deliver: createPrivateDelivery({ host, mailbox, store, clock }) }
    })
  )
  const rate = { burst: PRIVATE_BURST, everyMs: PRIVATE_EVERY_MS, namesMax: RATED_MAX }
  const mayHandOver = createRate(clock, rate)
  const handler = async ({ peerId, bytes }: Handed): Promise<Uint8Array> => {
    if (!mayHandOver(peerId))
      throw new RoomError('ERR_MESSAGE_RATE', 'expected fewer frames of private rooms from this peer')
    await rooms.receive(bytes)
    return TAKEN
  }
  stack.use(await host.exchange.serve(PRIVATE_EXCHANGE, handler, { requestBytesMax: FRAME_BYTES_MAX }))
  // Whoever was away and comes back is told what waits for them.
  const hurry = createHurry(host, rooms)
  stack.use(hurry)
  const take = async (bytes: Uint8Array): Promise<void> => await rooms.receive(bytes)
  stack.use(startReadingMailbox(components, { device: device.did, take }))
  const running = stack.move()
  return { ...rooms, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** The private rooms of a node that has none. */
export function createNoPrivateRooms(keystore: Pick<Keystore, 'device' | 'personDid'>): PrivateRooms {
  const refuse = async (): Promise<never> => {
    await Promise.resolve()
    throw new RoomError('ERR_PRIVATE_UNKNOWN', 'expected a node with private rooms')
  }
  return {
    own: { person: keystore.personDid, device: keystore.device.did },
    ...{ list: () => [], waiting: () => 0, hurry: () => undefined },
    ...{ sayTo: refuse, say: refuse, createRoom: refuse, invite: refuse, remove: refuse, leave: refuse },
    ...{ texts: refuse, receive: refuse, seen: refuse, unseen: async () => await Promise.resolve([]) },
    events: async function* () {},
    [Symbol.asyncDispose]: async () => await Promise.resolve()
  }
}

function createHurry(host: Pick<Host, 'onPeer' | 'peers'>, rooms: Pick<PrivateRooms, 'hurry'>): Disposable {
  return host.onPeer(({ type, peerId }) => {
    if (type !== 'connected') return
    const did = host.peers().find((peer) => peer.peerId === peerId)?.did
    if (did !== undefined) rooms.hurry(did)
  })
}
