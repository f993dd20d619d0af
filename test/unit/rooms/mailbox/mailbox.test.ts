import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import type { Did } from '#did'
import {
  createMemoryRoomStore,
  startRooms,
  type MailboxOf,
  type Room,
  type RoomEvent,
  type Rooms,
  type RoomStore
} from '#rooms'
import {
  MAILBOX_GATHER_COMPANY_MS,
  MAILBOX_KEEPERS,
  MAILBOX_KEPT_MS,
  MAILBOX_MESSAGE_BYTES_MAX,
  MAILBOX_PROTOCOL
} from '../../../../rooms/constants.ts'
import { roomBox } from '../../../../rooms/mailbox/room-box.ts'
import { addressOf } from '../../../../rooms/mailbox/address.ts'
import { encodeMailboxAnswer, encodeMailboxRequest } from '../../../../rooms/mailbox/exchange.ts'
import { createParty, type Guest, type Party } from '../../../support/room-party.ts'

interface Node extends Guest {
  readonly rooms: Rooms
}

/** Nodes that know each other, as those near each other in a DHT do. */
async function startNodes(party: Party, stack: AsyncDisposableStack, count: number): Promise<Node[]> {
  const nodes: Node[] = []
  for (let index = 0; index < count; index++) nodes.push(await startOne(party, stack))
  for (const node of nodes) await linkAll(party, node, nodes)
  return nodes
}

async function startOne(
  party: Party,
  stack: AsyncDisposableStack,
  { guest = party.guest(), store = createMemoryRoomStore() }: { guest?: Guest; store?: RoomStore } = {}
): Promise<Node> {
  const rooms = await startRooms({
    ...{ signer: guest.device, store, clock: party.clock, random: party.random, logger: silentLogger },
    ...(guest.certificate === undefined ? {} : { certificate: guest.certificate }),
    transport: party.network.transport(guest.peerId)
  })
  stack.defer(async () => {
    await Promise.all([rooms[Symbol.asyncDispose](), party.clock.advance(10_000)])
  })
  return { ...guest, rooms }
}

async function linkAll(party: Party, node: Node, others: readonly Node[]): Promise<void> {
  const { signal } = new AbortController()
  const transport = party.network.linkOf(node.peerId)
  const connecting = others
    .filter(({ peerId }) => peerId !== node.peerId)
    .map(async ({ peerId }) => await transport.connect({ peerId, multiaddrs: [] }, { signal }))
  await Promise.all([...connecting, party.clock.advance(100)])
}

function hearing(room: Room): string[] {
  const texts: string[] = []
  void (async () => {
    for await (const event of room.told()) if (isOfOthers(event)) texts.push(event.text)
  })()
  return texts
}

const isOfOthers = (event: RoomEvent): event is Extract<RoomEvent, { type: 'message' }> =>
  event.type === 'message' && !event.isSelf

describe('the mailbox', () => {
  it('brings a text to who comes when its author is gone, once', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, bob, ...keepers] = await startNodes(party, stack, 8)
    assert.ok(ann !== undefined && bob !== undefined && keepers.length === 6)
    const annRoom = await ann.rooms.join({ room: 'lobby', nick: 'ann' })
    void annRoom.send('one')
    await party.clock.advance(100)
    void annRoom.send('two')
    await party.clock.advance(2_000)
    party.network.unplug(ann.peerId)
    await party.clock.advance(3_600_000)
    const store = createMemoryRoomStore()
    const late = await startOne(party, stack, { store })
    await linkAll(party, late, keepers)
    const room = await late.rooms.join({ room: 'lobby', nick: 'cem' })
    const heard = hearing(room)
    await party.clock.advance(30_000)
    assert.deepEqual(heard, ['one', 'two'])
    await party.clock.advance(3_600_000)
    assert.deepEqual(heard, ['one', 'two'])
  })

  it('is filled by who leaves right after speaking, and given to three', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, ...keepers] = await startNodes(party, stack, 8)
    assert.ok(ann !== undefined)
    const room = await ann.rooms.join({ room: 'lobby', nick: 'ann' })
    void room.send('bye')
    await party.clock.advance(50)
    await Promise.all([room[Symbol.asyncDispose](), party.clock.advance(5_000)])
    party.network.unplug(ann.peerId)
    const late = await startOne(party, stack)
    await linkAll(party, late, keepers)
    const heard = hearing(await late.rooms.join({ room: 'lobby', nick: 'bob' }))
    await party.clock.advance(10_000)
    assert.deepEqual(heard, ['bye'])
  })

  it('is filled at leisure where others have it too, and brings it when all of them are gone', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const nodes = await startNodes(party, stack, 9)
    const [here, keepers] = [nodes.slice(0, 4), nodes.slice(4)]
    const [speaker] = await Promise.all(
      here.map(async ({ rooms }) => await rooms.join({ room: 'lobby', nick: 'x' }))
    )
    assert.ok(speaker)
    await party.clock.advance(5_000)
    const kept = async (): Promise<number> => {
      const { signal } = new AbortController()
      const box = { box: roomBox('lobby').address }
      const collecting = Array.fromAsync(nodes[8]?.rooms.mailbox.collect(box, { signal }) ?? [])
      await party.clock.advance(2_000)
      return (await collecting).length
    }
    for (let count = 0; count < 10; count++) {
      void speaker.send(String(count))
      await party.clock.advance(1_000)
    }
    assert.equal(await kept(), 0)
    await party.clock.advance(MAILBOX_GATHER_COMPANY_MS)
    assert.equal(await kept(), 10)
    for (const { peerId } of here) party.network.unplug(peerId)
    const late = await startOne(party, stack)
    await linkAll(party, late, keepers)
    const heard = hearing(await late.rooms.join({ room: 'lobby', nick: 'bob' }))
    await party.clock.advance(30_000)
    assert.equal(heard.length, 10)
  })

  it('is read by and by where members are who know what was said', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, ...keepers] = await startNodes(party, stack, 6)
    assert.ok(ann)
    void (await ann.rooms.join({ room: 'lobby', nick: 'ann' })).send('alone')
    await party.clock.advance(5_000)
    party.network.unplug(ann.peerId)
    // Three who came when she was gone, and could not have it from those who keep it.
    party.network.split(keepers.map(({ peerId }) => peerId))
    const here = await startNodes(party, stack, 3)
    await Promise.all(here.map(async ({ rooms }) => await rooms.join({ room: 'lobby', nick: 'x' })))
    await party.clock.advance(90_000)
    party.network.heal()
    const late = await startOne(party, stack)
    await linkAll(party, late, [...here, ...keepers])
    const heard = hearing(await late.rooms.join({ room: 'lobby', nick: 'bob' }))
    await party.clock.advance(12_000)
    assert.deepEqual(heard, [])
    await party.clock.advance(20_000)
    assert.deepEqual(heard, ['alone'])
  })

  it('keeps what it cannot read, for seven days', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, ...others] = await startNodes(party, stack, 6)
    assert.ok(ann !== undefined && others[0] !== undefined)
    const box = new Uint8Array(32).fill(7)
    const { signal } = new AbortController()
    const items = [Uint8Array.of(1), Uint8Array.of(2)]
    const depositing = ann.rooms.mailbox.deposit({ box }, items, { signal })
    await party.clock.advance(1_000)
    assert.equal(await depositing, MAILBOX_KEEPERS)
    const collect = async (): Promise<readonly Uint8Array[]> => {
      const collecting = Array.fromAsync(others[0]!.rooms.mailbox.collect({ box }, { signal }))
      await party.clock.advance(2_000)
      return await collecting
    }
    assert.deepEqual(await collect(), items)
    await party.clock.advance(MAILBOX_KEPT_MS)
    assert.deepEqual(await collect(), [])
  })

  it('is not held up by keepers that lie, never end, or answer nothing', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, ...keepers] = await startNodes(party, stack, 4)
    assert.ok(ann !== undefined)
    const lies = [
      () => Uint8Array.of(0xff),
      () => encodeMailboxAnswer({ items: [Uint8Array.of(9)], last: 0, hasMore: true }),
      () => Promise.withResolvers<Uint8Array>().promise,
      () => encodeMailboxAnswer({ kept: 1 })
    ]
    for (const lie of lies) {
      const eve = party.guest()
      const transport = party.network.transport(eve.peerId)
      await transport.serve(MAILBOX_PROTOCOL, lie, { requestBytesMax: 300_000 })
      const { signal } = new AbortController()
      const connecting = transport.connect({ peerId: ann.peerId, multiaddrs: [] }, { signal })
      await Promise.all([connecting, party.clock.advance(100)])
    }
    const room = await ann.rooms.join({ room: 'lobby', nick: 'ann' })
    void room.send('hello')
    await party.clock.advance(60_000)
    party.network.unplug(ann.peerId)
    const late = await startOne(party, stack)
    await linkAll(party, late, keepers)
    const heard = hearing(await late.rooms.join({ room: 'lobby', nick: 'bob' }))
    await party.clock.advance(60_000)
    assert.deepEqual(heard, ['hello'])
  })

  it('of a device is read by that device alone, whoever knows its did', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, bob, eve, ...keepers] = await startNodes(party, stack, 7)
    assert.ok(ann !== undefined && bob !== undefined && eve !== undefined && keepers.length === 4)
    const { signal } = new AbortController()
    const own = { device: ann.device.did }
    const depositing = bob.rooms.mailbox.deposit(own, [Uint8Array.of(1), Uint8Array.of(2)], { signal })
    await party.clock.advance(1_000)
    assert.equal(await depositing, MAILBOX_KEEPERS)
    const collect = async (node: Node, of: MailboxOf): Promise<readonly number[]> => {
      const collecting = Array.fromAsync(node.rooms.mailbox.collect(of, { signal }))
      await party.clock.advance(2_000)
      return (await collecting).map(([byte = 0]) => byte)
    }
    assert.deepEqual(await collect(eve, own), [], 'not by who asks for it by name')
    assert.deepEqual(await collect(bob, own), [], 'not by who left it there')
    const address = { box: addressOf(own) }
    assert.deepEqual(await collect(eve, address), [], 'nor by who works out where it is')
    const fooling = eve.rooms.mailbox.deposit(address, [Uint8Array.of(66)], { signal })
    await party.clock.advance(1_000)
    await fooling
    assert.deepEqual(await collect(ann, own), [1, 2], 'and what is left at the address is not in it')
    assert.deepEqual(await collect(ann, own), [1, 2])
  })

  it('of a device is refused to others, whatever else they ask', async () => {
    await using party = createParty()
    await using stack = new AsyncDisposableStack()
    const [ann, keeper] = await startNodes(party, stack, 2)
    assert.ok(ann !== undefined && keeper !== undefined)
    const { signal } = new AbortController()
    const eve = party.network.transport(party.guest().peerId)
    const ask = async (device: Did): Promise<Uint8Array> => {
      const bytes = encodeMailboxRequest({ kind: 'take', device, after: 0 })
      const options = { signal, responseBytesMax: MAILBOX_MESSAGE_BYTES_MAX }
      const asking = eve.request(keeper.peerId, MAILBOX_PROTOCOL, bytes, options)
      const [answer] = await Promise.allSettled([asking, party.clock.advance(1_000)])
      if (answer.status === 'rejected') throw answer.reason as Error
      return answer.value
    }
    const connecting = eve.connect({ peerId: keeper.peerId, multiaddrs: [] }, { signal })
    await Promise.all([connecting, party.clock.advance(100)])
    for (const device of [ann.device.did, keeper.device.did])
      await assert.rejects(ask(device), { code: 'ERR_MAILBOX_FOREIGN' })
  })
})
