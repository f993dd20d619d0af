import assert from 'node:assert/strict'
import { MemoryDatastore } from 'datastore-core'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createKeyPair, type KeyPair } from '#did'
import { startHost, type Host } from '#dht'
import { startRoom, type Room, type RoomEvent, type TextEvent } from '#rooms'
import { createRoomTransport } from '../../node/rooms.ts'

const seams = { clock: systemClock, random: systemRandom, logger: silentLogger }

async function startPeer(
  seeds: readonly string[],
  role: 'peer' | 'seed' = 'peer'
): Promise<Host & { key: KeyPair }> {
  const key = createKeyPair(systemRandom)
  const init = {
    reach: 'local',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrapPeers: seeds,
    mdns: false,
    role
  } as const
  const host = await startHost({ ...seams, keyPair: key, datastore: new MemoryDatastore() }, init)
  return Object.assign(host, { key })
}

async function join(host: Host & { key: KeyPair }, nick: string): Promise<Room> {
  return startRoom(
    { ...seams, signer: host.key, transport: createRoomTransport(host) },
    { room: 'lobby', nick }
  )
}

const isText = (event: RoomEvent): event is TextEvent => event.type === 'message'

/** Reads events until one is what is looked for, and leaves the rest; mocha's timeout bounds the wait. */
async function until(
  events: AsyncIterable<RoomEvent>,
  isIt: (event: RoomEvent) => boolean
): Promise<RoomEvent> {
  const iterator = events[Symbol.asyncIterator]()
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    if (isIt(next.value)) return next.value
  }
  throw new Error('expected the event before the room was left')
}

describe('rooms over libp2p', () => {
  it('bring people together who know nothing but a seed and a name', async () => {
    await using stack = new AsyncDisposableStack()
    const seed = stack.use(await startPeer([], 'seed'))
    const guest = async (nick: string): Promise<Room> =>
      join(stack.use(await startPeer(seed.addresses())), nick)
    const [ann, bob] = await Promise.all([guest('ann'), guest('bob')])
    stack.use(ann)
    stack.use(bob)
    const events = bob.events()
    const [{ recipients }, first] = await Promise.all([ann.send('hello'), until(events, isText)])
    assert.equal(recipients, 1)
    assert.ok(first.type === 'message' && first.label === 'ann' && first.text === 'hello')

    const cem = stack.use(await guest('cem'))
    await until(cem.events(), (event) => event.type === 'joined' && cem.members().length === 3)
    await Promise.all([
      cem.send('me too'),
      until(events, isText),
      until(ann.events(), (event) => isText(event) && event.label === 'cem')
    ])
    assert.deepEqual(
      ann
        .members()
        .map(({ nick }) => nick)
        .sort(),
      ['ann', 'bob', 'cem']
    )
    // A message may come by two ways; nothing else is dropped among honest members.
    const { ERR_MESSAGE_REPLAYED: _twice, ...dropped } = bob.counters.dropped
    assert.deepEqual(
      Object.entries(dropped).filter(([, count]) => count > 0),
      []
    )
  })
})
