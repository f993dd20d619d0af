import assert from 'node:assert/strict'
import { openFrame } from '../../../../rooms/private/frame.ts'
import { createPrivateWorld, type PrivateDevice } from '../../../support/private-party.ts'

const signal = new AbortController().signal

function membersIn(device: PrivateDevice, group: string): number {
  return device.rooms.list().find((one) => one.group === group)?.members.length ?? 0
}

describe('private rooms', () => {
  it('bring a direct message to every device of a person who is away, and to one’s own others', async () => {
    await using world = createPrivateWorld(1)
    const [ann, bob] = [world.person(), world.person()]
    const [phone, desk] = [await world.device(ann), await world.device(ann)]
    const bobs = [await world.device(bob), await world.device(bob)]
    for (const device of bobs) device.isOnline = false
    const { devices } = await phone.rooms.sayTo(bob.did, 'are you there?', { signal })
    assert.equal(devices, 3, 'two of his, one of hers')
    await world.until(() => desk.texts().length === 1)
    for (const device of bobs) device.isOnline = true
    await world.until(() => bobs.every((device) => device.texts().includes('are you there?')))
    const [first] = bobs
    assert.ok(first)
    await first.rooms.sayTo(ann.did, 'yes', { signal })
    await world.until(() => [phone, desk].every((device) => device.texts().includes('yes')))
    assert.equal(first.rooms.list().length, 1, 'the answer goes where the question was')
  })

  it('wait some seconds for prekeys of somebody who may have just started, and no longer', async () => {
    await using world = createPrivateWorld(12)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    world.hidden.add(bob.did)
    const failing = assert.rejects(ann.rooms.sayTo(bob.person.did, 'are you there?', { signal }), {
      code: 'ERR_PRIVATE_PREKEYS'
    })
    await world.pass(8_000)
    await failing
    const saying = ann.rooms.sayTo(bob.person.did, 'welcome', { signal })
    await world.pass(2_000)
    world.hidden.delete(bob.did)
    await world.pass(6_000)
    await saying
    await world.until(() => bob.texts().includes('welcome'))
  })

  it('bring words to somebody new in the order in which they were said, in one conversation', async () => {
    await using world = createPrivateWorld(13)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    const { did } = bob.person
    world.hidden.add(bob.did)
    const texts = ['first', 'second', 'third']
    const given = new AbortController()
    const said = [ann.rooms.sayTo(did, 'never mind', { signal: given.signal })]
    const stopped = assert.rejects(said[0] ?? Promise.resolve(), { message: 'said no more' })
    for (const text of texts) {
      said.push(ann.rooms.sayTo(did, text, { signal }))
      await world.pass(500)
    }
    given.abort(new Error('said no more'))
    await stopped
    world.hidden.delete(bob.did)
    await world.pass(8_000)
    const groups = await Promise.all(said.slice(1))
    assert.equal(new Set(groups.map(({ group }) => group)).size, 1)
    await world.until(() => bob.texts().length === texts.length)
    assert.deepEqual(bob.texts(), texts)
  })

  it('bring words to somebody who speaks first meanwhile in the order in which they were said', async () => {
    await using world = createPrivateWorld(15)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    world.hidden.add(bob.did)
    const first = ann.rooms.sayTo(bob.person.did, 'first', { signal })
    await world.pass(200)
    const { group } = await bob.rooms.sayTo(ann.person.did, 'hello', { signal })
    await world.until(() => ann.texts().includes('hello'))
    const second = ann.rooms.sayTo(bob.person.did, 'second', { signal })
    await world.pass(10_000)
    const groups = await Promise.all([first, second])
    assert.deepEqual(
      groups.map((one) => one.group),
      [group, group]
    )
    await world.until(() => bob.texts().length === 3)
    assert.deepEqual(bob.texts(), ['hello', 'first', 'second'])
  })

  it('go on looking for a new device of somebody whose other one was revoked', async () => {
    await using world = createPrivateWorld(16)
    const [ann, person] = [await world.device(world.person()), world.person()]
    const [lost, bob] = [await world.device(person), await world.device(person)]
    world.banned.add(lost.did)
    world.hidden.add(bob.did)
    const saying = ann.rooms.sayTo(person.did, 'welcome back', { signal })
    await world.pass(2_000)
    world.hidden.delete(bob.did)
    await world.pass(6_000)
    await saying
    await world.until(() => bob.texts().includes('welcome back'))
    assert.deepEqual(lost.texts(), [])
  })

  it('wait for no other device of a person who has this one alone', async () => {
    await using world = createPrivateWorld(14)
    const ann = await world.device(world.person())
    const { group } = await ann.rooms.createRoom('plans')
    await assert.rejects(ann.rooms.invite(group, ann.person.did, { signal }), { code: 'ERR_PRIVATE_PREKEYS' })
  })

  it('show no text on the wire', async () => {
    await using world = createPrivateWorld(2)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    await ann.rooms.sayTo(bob.person.did, 'the secret word is swordfish', { signal })
    await world.until(() => bob.texts().length === 1)
    const seen = Buffer.concat(world.wire.map(({ bytes }) => bytes)).toString('latin1')
    assert.ok(seen.length > 0 && !seen.includes('swordfish'))
    for await (const [, value] of bob.store.entries(''))
      assert.ok(!Buffer.from(value).toString('latin1').includes('swordfish'), 'nor in the store')
  })

  it('let who is invited in, and change the keys when somebody is taken out', async () => {
    await using world = createPrivateWorld(3)
    const [ann, bob, eve] = [
      await world.device(world.person()),
      await world.device(world.person()),
      await world.device(world.person())
    ]
    const { group } = await ann.rooms.createRoom('plans')
    await ann.rooms.invite(group, bob.person.did, { signal })
    await ann.rooms.invite(group, eve.person.did, { signal })
    await world.until(() => [ann, bob, eve].every((device) => membersIn(device, group) === 3))
    await bob.rooms.say(group, 'hello both')
    await world.until(() => [ann, eve].every((device) => device.texts().includes('hello both')))
    await assert.rejects(bob.rooms.remove(group, eve.person.did), { code: 'ERR_PRIVATE_REFUSED' })
    await ann.rooms.remove(group, eve.person.did)
    await world.until(() => membersIn(bob, group) === 2 && eve.events.some(({ type }) => type === 'out'))
    const before = world.wire.length
    await bob.rooms.say(group, 'is she gone?')
    await world.until(() => ann.texts().includes('is she gone?'))
    assert.ok(
      world.wire.slice(before).every(({ to }) => to !== eve.did),
      'nothing goes to her'
    )
    // Whoever stores what goes over the wire, and hands it to her, gives her nothing.
    for (const { bytes } of world.wire.slice(before)) await eve.rooms.receive(bytes)
    await world.pass(5_000)
    assert.deepEqual(eve.texts(), ['hello both'])
    await assert.rejects(eve.rooms.say(group, 'me too'), { code: 'ERR_PRIVATE_UNKNOWN' })
  })

  it('take a person out who leaves, with keys that are new', async () => {
    await using world = createPrivateWorld(4)
    const [ann, bob, cleo] = [
      await world.device(world.person()),
      await world.device(world.person()),
      await world.device(world.person())
    ]
    const { group } = await ann.rooms.createRoom('plans')
    for (const one of [bob, cleo]) await ann.rooms.invite(group, one.person.did, { signal })
    await world.until(() => [bob, cleo].every((device) => membersIn(device, group) === 3))
    await ann.rooms.leave(group)
    await world.until(() => [bob, cleo].every((device) => membersIn(device, group) === 2))
    await bob.rooms.say(group, 'now it is us')
    await world.until(() => cleo.texts().includes('now it is us'))
    assert.deepEqual(ann.texts(), [])
  })

  it('settle two changes made at once the same way everywhere, and lose neither', async () => {
    await using world = createPrivateWorld(5)
    const people = [0, 1, 2, 3, 4].map(() => world.person())
    const devices: PrivateDevice[] = []
    for (const person of people) devices.push(await world.device(person))
    const [ann, bob, cleo, dan, eve] = devices
    assert.ok(ann && bob && cleo && dan && eve)
    const { group } = await ann.rooms.createRoom('plans')
    for (const one of [bob, cleo]) await ann.rooms.invite(group, one.person.did, { signal })
    await world.until(() => [ann, bob, cleo].every((device) => membersIn(device, group) === 3))
    // Ann is cut off from the two others: both sides take somebody in, on the same epoch.
    const isCut = (from: string, to: string): boolean =>
      [ann.did, dan.did].some((did) => did === from) !== [ann.did, dan.did].some((did) => did === to)
    world.mayPass = (from, to) => !isCut(from, to)
    await ann.rooms.invite(group, dan.person.did, { signal })
    await bob.rooms.invite(group, eve.person.did, { signal })
    await world.until(() => membersIn(dan, group) === 4 && membersIn(eve, group) === 4)
    await dan.rooms.say(group, 'from one side')
    await eve.rooms.say(group, 'from the other')
    await world.until(() => ann.texts().length === 1 && cleo.texts().length === 1)
    world.mayPass = () => true
    await world.until(() => devices.every((device) => membersIn(device, group) === 5), 'all five are in')
    await dan.rooms.say(group, 'together again')
    await world.until(() => devices.every((device) => device.texts().includes('together again')))
    for (const device of [ann, bob, cleo])
      assert.ok(['from one side', 'from the other'].every((text) => device.texts().includes(text)))
    for (const device of devices)
      assert.equal(new Set(device.texts()).size, device.texts().length, 'each text once')
  })

  it('find together again after a fork that is too old to be settled by reading', async () => {
    await using world = createPrivateWorld(6)
    const devices: PrivateDevice[] = []
    for (let count = 0; count < 4; count++) devices.push(await world.device(world.person()))
    const [ann, bob, cleo, dan] = devices
    assert.ok(ann && bob && cleo && dan)
    const { group } = await ann.rooms.createRoom('plans')
    await ann.rooms.invite(group, bob.person.did, { signal })
    await world.until(() => membersIn(bob, group) === 2)
    world.mayPass = (from, to) => [ann.did, cleo.did].includes(from) === [ann.did, cleo.did].includes(to)
    await ann.rooms.invite(group, cleo.person.did, { signal })
    await bob.rooms.invite(group, dan.person.did, { signal })
    await world.until(() => membersIn(cleo, group) === 3 && membersIn(dan, group) === 3)
    await world.pass(11 * 60_000)
    world.mayPass = () => true
    await ann.rooms.say(group, 'anybody?')
    await bob.rooms.say(group, 'hello?')
    await world.until(() =>
      [ann, bob].every(
        (device) =>
          membersIn(device, group) >= 3 &&
          device.rooms
            .list()[0]
            ?.members.some(({ device: did }) => did === (device === ann ? bob : ann).did) === true
      )
    )
    await world.until(() => {
      const tips = devices.map((device) =>
        device.rooms
          .list()[0]
          ?.members.map(({ device: did }) => did)
          .sort()
          .join()
      )
      return tips[0] === tips[1]
    }, 'both sides agree on who is in')
    await ann.rooms.say(group, 'there you are')
    await world.until(() => bob.texts().includes('there you are'))
  })

  it('go on after a restart, with nothing lost and nothing shown twice', async () => {
    await using world = createPrivateWorld(7)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    const { group } = await ann.rooms.sayTo(bob.person.did, 'one', { signal })
    await world.until(() => bob.texts().length === 1)
    bob.isOnline = false
    await ann.rooms.say(group, 'two')
    await ann.restart()
    await bob.restart()
    await ann.rooms.say(group, 'three')
    bob.isOnline = true
    await world.until(() => bob.texts().length === 3)
    await bob.rooms.say(group, 'four')
    await world.until(() => ann.texts().includes('four'))
    // Everything that ever went over the wire, once more.
    for (const { to, bytes } of [...world.wire]) if (to === bob.did) await bob.rooms.receive(bytes)
    await world.pass(5_000)
    assert.deepEqual(bob.texts(), ['one', 'two', 'three', 'four'])
    const kept = await bob.rooms.texts(group)
    assert.deepEqual(
      kept.map(({ text }) => text),
      ['one', 'two', 'three', 'four']
    )
  })

  it('take messages in any order, the welcome last', async () => {
    await using world = createPrivateWorld(8)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    world.mayPass = () => false
    const { group } = await ann.rooms.sayTo(bob.person.did, '0', { signal })
    for (let count = 1; count < 6; count++) await ann.rooms.say(group, String(count))
    // Bob's device stands in for a network that turns everything round.
    const { receive } = bob.rooms
    const frames: Uint8Array[] = []
    bob.rooms = { ...bob.rooms, receive: async (bytes) => void frames.push(await Promise.resolve(bytes)) }
    world.mayPass = () => true
    await world.until(() => frames.length === 8)
    for (const bytes of frames.reverse()) await receive(bytes)
    await world.until(() => bob.texts().length === 6)
    assert.deepEqual([...bob.texts()].sort(), ['0', '1', '2', '3', '4', '5'])
  })

  it('take out a device that was revoked, without anybody asking', async () => {
    await using world = createPrivateWorld(9)
    const bob = world.person()
    const ann = await world.device(world.person())
    const [phone, lost] = [await world.device(bob), await world.device(bob)]
    const { group } = await ann.rooms.sayTo(bob.did, 'hi', { signal })
    await world.until(() => [phone, lost].every((device) => device.texts().length === 1))
    world.banned.add(lost.did)
    await world.until(() => membersIn(ann, group) === 2 && membersIn(phone, group) === 2)
    await ann.rooms.say(group, 'between us')
    await world.until(() => phone.texts().includes('between us'))
    assert.ok(!lost.texts().includes('between us'))
  })

  it('take in a device that was certified since, and let it hear what is said from then on', async () => {
    await using world = createPrivateWorld(10)
    const bob = world.person()
    const [ann, phone] = [await world.device(world.person()), await world.device(bob)]
    const { group } = await ann.rooms.sayTo(bob.did, 'one', { signal })
    await world.until(() => phone.texts().length === 1)
    const tablet = await world.device(bob)
    await ann.rooms.sayTo(bob.did, 'two', { signal })
    await world.until(() => membersIn(tablet, group) === 3)
    await ann.rooms.sayTo(bob.did, 'three', { signal })
    await world.until(() => tablet.texts().includes('three') && phone.texts().length === 3)
    assert.deepEqual(tablet.texts(), ['three'])
  })

  it('keep what was said as unseen until it was shown', async () => {
    await using world = createPrivateWorld(11)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    const { group } = await ann.rooms.sayTo(bob.person.did, 'one', { signal })
    await ann.rooms.say(group, 'two')
    await world.until(() => bob.texts().length === 2)
    const [one, two] = await bob.rooms.unseen('direct')
    assert.ok(one && two)
    await bob.rooms.seen(group, one.id)
    await bob.restart()
    assert.deepEqual(
      (await bob.rooms.unseen('direct')).map(({ text }) => text),
      ['two']
    )
    await bob.rooms.seen(group, two.id)
    assert.deepEqual(await bob.rooms.unseen('direct'), [])
  })

  it('take in again who was taken out and in, and lost the welcome', async () => {
    await using world = createPrivateWorld(12)
    const [ann, bob] = [await world.device(world.person()), await world.device(world.person())]
    const { group } = await ann.rooms.createRoom('plans')
    await ann.rooms.invite(group, bob.person.did, { signal })
    await world.until(() => membersIn(bob, group) === 2)
    await ann.rooms.remove(group, bob.person.did)
    await world.until(() => bob.events.some(({ type }) => type === 'out'))
    const { receive } = bob.rooms
    let dropped = 0
    bob.rooms = {
      ...bob.rooms,
      receive: async (bytes) => {
        if (openFrame(bytes).kind === 'welcome' && dropped++ === 0) return
        await receive(bytes)
      }
    }
    await ann.rooms.invite(group, bob.person.did, { signal })
    await ann.rooms.say(group, 'are you with us?')
    await world.until(() => dropped > 1 && membersIn(bob, group) === 2)
    await ann.rooms.say(group, 'there you are')
    await world.until(() => bob.texts().includes('there you are'))
  })
})
