import assert from 'node:assert/strict'
import { createKeyPair, type KeyPair } from '#did'
import { createMemoryRoomStore } from '#rooms'
import { HELD_MAX, HELD_OF_DEVICE_MAX, HELD_OF_STRANGERS_MAX } from '../../../../rooms/private/constants.ts'
import { PREKEYS_MAX, STRANGERS_OF_PERSON_MAX } from '../../../../rooms/private/constants.ts'
import { openFrame, sealFrame } from '../../../../rooms/private/frame.ts'
import { openHeld } from '../../../../rooms/private/held.ts'
import { openPrekeyStock } from '../../../../rooms/private/prekey-stock.ts'
import { createVault } from '../../../../rooms/private/vault.ts'
import { createPrivateWorld } from '../../../support/private-party.ts'
import { createPrivateSuite } from '../../../support/private-suite.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const signal = new AbortController().signal
const NOW_MS = 1_800_000_000_000

describe('private rooms under floods', () => {
  it('answer few welcomes with prekeys they do not have, whoever sends them', async () => {
    await using world = createPrivateWorld(30)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    await ann.rooms.sayTo(bob.person.did, 'hi', { signal })
    await world.until(() => bob.texts().length === 1)
    const welcome = world.wire.map(({ bytes }) => openFrame(bytes)).find((frame) => frame.kind === 'welcome')
    assert.ok(welcome?.kind === 'welcome')
    const cleo = await world.device(world.person())
    for (let count = 0; count < 20; count++) {
      const stranger: KeyPair = createKeyPair(world.random)
      const { kind, tip, body } = welcome
      await cleo.rooms.receive(sealFrame(stranger, { kind, group: 'ab'.repeat(32), tip, body }))
    }
    assert.ok(cleo.rooms.waiting() > 0 && cleo.rooms.waiting() < 20)
  })

  it('keep a bounded number of prekeys, and can always make one', async () => {
    const random = createSeededRandom(1)
    const { signer, suite } = await createPrivateSuite(random)
    const store = createMemoryRoomStore()
    const stock = await openPrekeyStock(suite, createVault(store, signer.seed, random))
    await stock.replenish(NOW_MS)
    const published = stock.published().length
    for (let count = 0; count < PREKEYS_MAX + 10; count++) await stock.make(NOW_MS)
    let kept = 0
    for await (const _ of store.entries('private/p/')) kept++
    assert.equal(kept, PREKEYS_MAX)
    assert.equal(stock.published().length, published)
  })

  it('let one person open few conversations, and the user open more and be answered', async () => {
    await using world = createPrivateWorld(31)
    const [eve, bob, ann] = [
      await world.device(world.person()),
      await world.device(world.person()),
      await world.device(world.person())
    ]
    for (let count = 0; count < STRANGERS_OF_PERSON_MAX + 2; count++) {
      const { group } = await eve.rooms.createRoom(`room ${count}`)
      await eve.rooms.invite(group, bob.person.did, { signal })
      await world.until(() => eve.rooms.waiting() === 0)
    }
    assert.equal(bob.rooms.list().length, STRANGERS_OF_PERSON_MAX)
    const { group } = await bob.rooms.sayTo(ann.person.did, 'a word', { signal })
    await world.until(() => ann.texts().includes('a word'))
    await ann.rooms.say(group, 'another')
    await world.until(() => bob.texts().includes('another'))
    // Who speaks in one of them has accepted it.
    const [first] = bob.rooms.list()
    assert.ok(first)
    await bob.rooms.say(first.group, 'hello eve')
    const { group: next } = await eve.rooms.createRoom('one more')
    await eve.rooms.invite(next, bob.person.did, { signal })
    await world.until(() => bob.rooms.list().some((one) => one.group === next))
  })

  it('are taken in again by members, however many strangers speak in a conversation they were taken out of', async () => {
    await using world = createPrivateWorld(32)
    const [ann, bob, eve] = [
      await world.device(world.person()),
      await world.device(world.person()),
      await world.device(world.person())
    ]
    const { group } = await ann.rooms.createRoom('plans')
    await ann.rooms.invite(group, bob.person.did, { signal })
    await world.until(() => bob.rooms.list().length === 1)
    await ann.rooms.remove(group, bob.person.did)
    await world.until(() => bob.events.some(({ type }) => type === 'out'))
    const say = (from: KeyPair, at: number): Uint8Array =>
      sealFrame(from, { kind: 'message', group, tip: 'cd'.repeat(32), body: Uint8Array.of(at) })
    const asked = (): readonly string[] =>
      world.wire.filter(({ bytes }) => openFrame(bytes).kind === 'rejoin').map(({ to }) => to)
    for (let count = 0; count < HELD_OF_STRANGERS_MAX + 1; count++)
      await bob.rooms.receive(say(eve.key, count)).catch(() => undefined)
    await world.pass(5_000)
    assert.deepEqual(asked(), [])
    await bob.rooms.receive(say(ann.key, 0))
    await bob.rooms.receive(say(ann.key, 1))
    await world.until(() => asked().length > 0)
    assert.deepEqual(asked(), [ann.did])
  })

  it('keep frames of members whatever strangers send, and say when they cannot', async () => {
    const random = createSeededRandom(2)
    const held = await openHeld(createVault(createMemoryRoomStore(), new Uint8Array(32), random))
    const full = { code: 'ERR_PRIVATE_FULL' }
    const frame = (from: KeyPair, isOfMember: boolean): Parameters<typeof held.add>[0] => ({
      ...{ group: 'ab'.repeat(32), from: from.did, bytes: random.bytes(32), sinceMs: NOW_MS, isOfMember }
    })
    for (let count = 0; count < HELD_OF_STRANGERS_MAX; count++)
      await held.add(frame(createKeyPair(random), false))
    await assert.rejects(held.add(frame(createKeyPair(random), false)), full)
    for (let devices = 0; devices < HELD_MAX / HELD_OF_DEVICE_MAX; devices++) {
      const member = createKeyPair(random)
      for (let count = 0; count < HELD_OF_DEVICE_MAX; count++) await held.add(frame(member, true))
      await assert.rejects(held.add(frame(member, true)), full)
    }
    await assert.rejects(held.add(frame(createKeyPair(random), true)), full)
  })
})
