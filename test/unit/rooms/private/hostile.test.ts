import assert from 'node:assert/strict'
import { certifyDevice, createKeyPair, sealEnvelope } from '#did'
import { createMemoryRoomStore, createPrekeyDepot } from '#rooms'
import { chooseTip, settleFork, type Branch } from '../../../../rooms/private/branches.ts'
import { FRAME_BYTES_MAX, PADDED_BYTES, SKIPPED_MESSAGES_MAX } from '../../../../rooms/private/constants.ts'
import { openFrame, sealFrame } from '../../../../rooms/private/frame.ts'
import {
  commitChange,
  encryptFor,
  enterGroup,
  forReadingOnly,
  foundGroup,
  membersOf,
  readMessage
} from '../../../../rooms/private/group.ts'
import {
  createPrekey,
  openPrekeys,
  readPrekey,
  sealPrekeys,
  type OwnPrekey
} from '../../../../rooms/private/prekeys.ts'
import { createSuite, type Suite } from '../../../../rooms/private/suite.ts'
import { createPrivateWorld } from '../../../support/private-party.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const NOW_MS = 1_800_000_000_000
const signal = new AbortController().signal
const anybody = { judge: (): boolean => true }

interface Device {
  readonly person: ReturnType<typeof createKeyPair>
  readonly key: ReturnType<typeof createKeyPair>
  readonly certificate: Uint8Array
  readonly suite: Suite
}

async function device(seed: number): Promise<Device> {
  const random = createSeededRandom(seed)
  const [person, key] = [createKeyPair(random), createKeyPair(random)]
  const certificate = certifyDevice(person, { device: key.did, issuedAtMs: 1 })
  return { person, key, certificate, suite: await suiteOf(key, certificate, random) }
}

async function suiteOf(
  signer: Device['key'],
  certificate: Uint8Array,
  random = createSeededRandom(99)
): Promise<Suite> {
  return await createSuite({ signer, certificate, random, isAllowed: () => true })
}

/** A group of `count` devices, the first of which founded it. */
async function group(
  count: number
): Promise<{ devices: Device[]; states: Awaited<ReturnType<typeof enterGroup>>[] }> {
  const devices: Device[] = []
  for (let seed = 1; seed <= count; seed++) devices.push(await device(seed))
  const [founder, ...others] = devices
  assert.ok(founder)
  const own: OwnPrekey[] = []
  for (const { suite } of others) own.push(await createPrekey(suite, { nowMs: NOW_MS, isLastResort: false }))
  const add = []
  for (const { bytes } of own) add.push(await readPrekey(founder.suite, bytes, NOW_MS))
  const founded = await foundGroup(founder.suite, new Uint8Array(32).fill(7), Uint8Array.of(1))
  const { state, welcome } = await commitChange(founder.suite, founded, { add, remove: [] })
  const states = [state]
  for (const [index, { suite }] of others.entries()) {
    const prekey: OwnPrekey | undefined = own[index]
    assert.ok(prekey && welcome)
    states.push(await enterGroup(suite, welcome, prekey))
  }
  return { devices, states }
}

describe('private rooms under attack', () => {
  it('read no message twice, and none that was changed on its way', async () => {
    const { devices, states } = await group(2)
    const [ann, bob] = devices
    const [annState, bobState] = states
    assert.ok(ann && bob && annState && bobState)
    const { message } = await encryptFor(ann.suite, annState, Buffer.from('hello'))
    for (let at = 0; at < message.length; at += 7) {
      const bytes = Uint8Array.from(message)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      await assert.rejects(readMessage(bob.suite, bobState, { bytes, ...anybody }), { name: 'RoomError' })
    }
    const read = await readMessage(bob.suite, bobState, { bytes: message, ...anybody })
    assert.ok(read.kind === 'application' && read.from === ann.key.did)
    await assert.rejects(readMessage(bob.suite, read.state, { bytes: message, ...anybody }), {
      code: 'ERR_PRIVATE_STALE'
    })
  })

  it('read what came after many that are missing, and wait for some of them when there are too many', async () => {
    const { devices, states } = await group(2)
    const [ann, bob] = devices
    const [annState, bobState] = states
    assert.ok(ann && bob && annState && bobState)
    const messages: Uint8Array[] = []
    let state = annState
    for (let count = 0; count <= SKIPPED_MESSAGES_MAX + 1; count++) {
      const said = await encryptFor(ann.suite, state, Uint8Array.of(1))
      state = said.state
      messages.push(said.message)
    }
    const [first, last] = [messages[0], messages.at(-1)]
    const beforeLast = messages.at(-2)
    assert.ok(first && beforeLast && last)
    const early = await readMessage(bob.suite, bobState, { bytes: last, ...anybody })
    assert.equal(early.kind, 'ahead')
    const read = await readMessage(bob.suite, bobState, { bytes: beforeLast, ...anybody })
    assert.ok(read.kind === 'application')
    const then = await readMessage(bob.suite, read.state, { bytes: last, ...anybody })
    assert.equal(then.kind, 'application')
  })

  it('hide how long a short text is', async () => {
    const { devices, states } = await group(2)
    const [ann, state] = [devices[0], states[0]]
    assert.ok(ann && state)
    const lengths = new Set<number>()
    for (const text of ['y', 'a longer one', 'x'.repeat(PADDED_BYTES / 2)])
      lengths.add((await encryptFor(ann.suite, state, Buffer.from(text))).message.length)
    assert.equal(lengths.size, 1)
  })

  it('shut out who was taken out: neither the next epoch nor its messages can be read', async () => {
    const { devices, states } = await group(3)
    const [ann, bob, eve] = devices
    const [annState, bobState, eveState] = states
    assert.ok(ann && bob && eve && annState && bobState && eveState)
    const removed = await commitChange(ann.suite, annState, { add: [], remove: [2] })
    const bobNow = await readMessage(bob.suite, bobState, { bytes: removed.commit, ...anybody })
    const eveNow = await readMessage(eve.suite, eveState, { bytes: removed.commit, ...anybody })
    assert.ok(bobNow.kind === 'commit' && eveNow.kind === 'commit' && eveNow.isRemoved)
    const { message } = await encryptFor(ann.suite, removed.state, Buffer.from('without her'))
    for (const state of [eveState, eveNow.state])
      await assert.rejects(readMessage(eve.suite, state, { bytes: message, ...anybody }), {
        name: 'RoomError'
      })
    const read = await readMessage(bob.suite, bobNow.state, { bytes: message, ...anybody })
    assert.ok(read.kind === 'application')
  })

  it('give whoever finds a device nothing of what was read before', async () => {
    const { devices, states } = await group(2)
    const [ann, bob] = devices
    const [annState, bobState] = states
    assert.ok(ann && bob && annState && bobState)
    const old = await encryptFor(ann.suite, annState, Buffer.from('old'))
    const read = await readMessage(bob.suite, bobState, { bytes: old.message, ...anybody })
    assert.ok(read.kind === 'application')
    // All that is left of the epoch after the fork window, with the ciphertext from the wire.
    const left = forReadingOnly(read.state)
    await assert.rejects(readMessage(bob.suite, left, { bytes: old.message, ...anybody }), {
      code: 'ERR_PRIVATE_STALE'
    })
    const next = await commitChange(ann.suite, old.state, { add: [], remove: [] })
    await assert.rejects(readMessage(bob.suite, left, { bytes: next.commit, ...anybody }), {
      name: 'RoomError'
    })
    const late = await encryptFor(ann.suite, old.state, Buffer.from('late'))
    const lateRead = await readMessage(bob.suite, left, { bytes: late.message, ...anybody })
    assert.ok(lateRead.kind === 'application', 'late messages are read all the same')
  })

  it('take no prekey that its device and its person did not sign, nor one past its time', async () => {
    const [ann, bob] = [await device(1), await device(2)]
    const { bytes } = await createPrekey(bob.suite, { nowMs: NOW_MS, isLastResort: false })
    assert.equal((await readPrekey(ann.suite, bytes, NOW_MS)).device, bob.key.did)
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Uint8Array.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 4
      await assert.rejects(readPrekey(ann.suite, changed, NOW_MS), { name: 'RoomError' }, `byte ${at}`)
    }
    // Ann's device shows the certificate of Bob's.
    const forged = await createPrekey(await suiteOf(ann.key, bob.certificate), {
      nowMs: NOW_MS,
      isLastResort: false
    })
    await assert.rejects(readPrekey(ann.suite, forged.bytes, NOW_MS), { code: 'ERR_PRIVATE_FOREIGN' })
    await assert.rejects(readPrekey(ann.suite, bytes, NOW_MS + 31 * 86_400_000), {
      code: 'ERR_PRIVATE_STALE'
    })
    await assert.rejects(readPrekey(ann.suite, Uint8Array.from([...bytes, 0]), NOW_MS), {
      code: 'ERR_PRIVATE_MALFORMED'
    })
  })

  it('enter no group with a welcome that somebody else’s tree was put into', async () => {
    const { devices, states } = await group(2)
    const [ann, state] = [devices[0], states[0]]
    const cleo = await device(9)
    assert.ok(ann && state)
    const prekey = await createPrekey(cleo.suite, { nowMs: NOW_MS, isLastResort: false })
    const add = [await readPrekey(ann.suite, prekey.bytes, NOW_MS)]
    const { welcome } = await commitChange(ann.suite, state, { add, remove: [] })
    assert.ok(welcome)
    for (let at = 8; at < welcome.length; at += 41) {
      const bytes = Uint8Array.from(welcome)
      bytes[at] = (bytes[at] ?? 0) ^ 2
      await assert.rejects(enterGroup(cleo.suite, bytes, prekey), { name: 'RoomError' }, `byte ${at}`)
    }
    assert.equal(membersOf(await enterGroup(cleo.suite, welcome, prekey)).length, 3)
  })

  it('refuse frames that are too large, unsigned, signed for something else, or of unknown fields', () => {
    const key = createKeyPair(createSeededRandom(3))
    const id = 'ab'.repeat(32)
    const body = new Uint8Array(FRAME_BYTES_MAX)
    assert.throws(() => sealFrame(key, { kind: 'message', group: id, tip: id, body }), {
      code: 'ERR_PRIVATE_FULL'
    })
    const frame = sealFrame(key, { kind: 'message', group: id, tip: id, body: Uint8Array.of(1) })
    assert.equal(openFrame(frame).from, key.did)
    const seal = (payload: unknown, type = 'frame/1'): Uint8Array =>
      sealEnvelope(key, { domain: 'elastos/private/1', type, payload })
    const group = Buffer.from(id, 'hex')
    const whole = { kind: 'message', group, tip: group, body: Uint8Array.of(1) }
    assert.ok(openFrame(seal(whole)))
    for (const bad of [
      new Uint8Array(),
      new Uint8Array(FRAME_BYTES_MAX + 1),
      Uint8Array.from(frame).fill(0, -1),
      seal(whole, 'frame/2'),
      seal({ ...whole, more: 1 }),
      seal({ ...whole, group: group.subarray(1) }),
      seal({ ...whole, kind: 'other' }),
      seal({ kind: 'sync', group, chain: [] }),
      seal({ kind: 'sync', group, chain: Array.from({ length: 65 }, () => group) }),
      seal({ kind: 'rejoin', group, tip: group, body: Uint8Array.of(1) }),
      seal([])
    ])
      assert.throws(() => openFrame(bad), { code: 'ERR_PRIVATE_MALFORMED' })
  })

  it('settle forks by the smallest hash, but never in favour of who was taken out', () => {
    const random = createSeededRandom(5)
    const [ann, eve] = [createKeyPair(random).did, createKeyPair(random).did]
    const branch = (tip: string, by: Branch['by'], removed: Branch['removed'] = []): Branch => ({
      ...{ tip, parent: 'root', by, added: [], removed, learnedAtMs: 0, isWhole: true }
    })
    const [small, large] = [branch('1', ann), branch('2', eve)]
    assert.equal(settleFork([large, small]), small)
    // Eve was taken out, and made another commit on the epoch before with a hash as small as she likes.
    const [out, revenge] = [branch('2', ann, [eve]), branch('0', eve)]
    assert.equal(settleFork([revenge, out]), out)
    const mutual = branch('0', eve, [ann])
    assert.equal(settleFork([mutual, out]), mutual, 'who take out each other: the smallest hash')
    const isAllowed = (did: Branch['by']): boolean => did !== eve
    assert.equal(settleFork([mutual, out], isAllowed), out, 'unless one of them may not take part')
    assert.equal(
      settleFork([branch('0', eve), small], isAllowed)?.by,
      eve,
      'nobody is judged who takes out nobody'
    )
    const root = { ...branch('root', ann), parent: '' }
    const known = new Map(
      [root, out, revenge, { ...branch('5', eve), parent: '0' }].map((one) => [one.tip, one])
    )
    assert.equal(chooseTip(known, 'root'), '2', 'nor does it help to go on')
  })

  it('give each one-use prekey to one taker, and only the last resort to who asks on and on', async () => {
    const [bob, ann] = [await device(2), await device(1)]
    const depot = createPrekeyDepot({ store: createMemoryRoomStore(), clock: { nowMs: () => NOW_MS } })
    const prekeys: Uint8Array[] = []
    for (let count = 0; count < 7; count++)
      prekeys.push((await createPrekey(bob.suite, { nowMs: NOW_MS, isLastResort: count === 6 })).bytes)
    const published = sealPrekeys(bob.key, { issuedAtMs: NOW_MS, prekeys })
    await assert.rejects(depot.deposit(sealPrekeys(ann.key, { issuedAtMs: NOW_MS, prekeys })), {
      code: 'ERR_PRIVATE_FOREIGN'
    })
    await assert.rejects(depot.deposit(published, ann.key.did), { code: 'ERR_PRIVATE_FOREIGN' })
    for (let count = 0; count < 8; count++)
      assert.deepEqual(await depot.take(bob.person.did, { taker: ann.key.did }), [], 'which takes nothing')
    await depot.deposit(published, bob.key.did)
    const taken: string[] = []
    for (let count = 0; count < 6; count++) {
      const [bytes] = await depot.take(bob.person.did, { taker: ann.key.did })
      assert.ok(bytes)
      const { isLastResort } = await readPrekey(ann.suite, bytes, NOW_MS)
      if (!isLastResort) taken.push(Buffer.from(bytes).toString('hex'))
      assert.equal(isLastResort, count >= 4)
    }
    assert.equal(new Set(taken).size, 4)
    // Published again, what was given out stays given out.
    await depot.deposit(published)
    const [other] = await depot.take(bob.person.did, { taker: bob.key.did })
    assert.ok(other && !taken.includes(Buffer.from(other).toString('hex')))
    await assert.rejects(depot.deposit(sealPrekeys(bob.key, { issuedAtMs: NOW_MS - 1, prekeys })), {
      code: 'ERR_PRIVATE_STALE'
    })
    assert.throws(() => openPrekeys(Uint8Array.from(published).fill(0, -1)), {
      code: 'ERR_PRIVATE_MALFORMED'
    })
  })

  it('give each one-use prekey to one taker also when two take at the same time', async () => {
    const [phone, desk, ann, eve] = [await device(2), await device(3), await device(1), await device(4)]
    const memory = createMemoryRoomStore()
    const store = {
      ...memory,
      write: async (...of: Parameters<typeof memory.write>) => {
        await new Promise(setImmediate)
        await memory.write(...of)
      }
    }
    const depot = createPrekeyDepot({ store, clock: { nowMs: () => NOW_MS } })
    const suites = [
      phone.suite,
      await suiteOf(desk.key, certifyDevice(phone.person, { device: desk.key.did, issuedAtMs: 1 }))
    ]
    for (const [index, suite] of suites.entries()) {
      const prekeys: Uint8Array[] = []
      for (let count = 0; count < 4; count++)
        prekeys.push((await createPrekey(suite, { nowMs: NOW_MS, isLastResort: count === 3 })).bytes)
      await depot.deposit(
        sealPrekeys([phone, desk][index]?.key ?? phone.key, { issuedAtMs: NOW_MS, prekeys })
      )
    }
    const taken = await Promise.all(
      [ann, eve].map(async ({ key }) => await depot.take(phone.person.did, { taker: key.did }))
    )
    const texts = taken.flat().map((bytes) => Buffer.from(bytes).toString('hex'))
    assert.equal(texts.length, 4)
    assert.equal(new Set(texts).size, 4)
  })

  it('drop what strangers send, and do not follow a stranger’s welcome into a group they know', async () => {
    await using world = createPrivateWorld(20)
    const [ann, bob, eve] = [
      await world.device(world.person()),
      await world.device(world.person()),
      await world.device(world.person())
    ]
    const { group: id } = await ann.rooms.sayTo(bob.person.did, 'hi', { signal })
    await world.until(() => bob.texts().length === 1)
    const tip = 'cd'.repeat(32)
    const body = Uint8Array.of(1, 2, 3)
    for (const kind of ['welcome', 'commit', 'message'] as const)
      await bob.rooms.receive(sealFrame(eve.key, { kind, group: id, tip, body }))
    await bob.rooms.receive(sealFrame(eve.key, { kind: 'sync', group: id, chain: [tip] }))
    const prekey = await createPrekey(
      await suiteOf(eve.key, certifyDevice(eve.person, { device: eve.did, issuedAtMs: 1 })),
      { nowMs: world.clock.nowMs(), isLastResort: false }
    )
    await bob.rooms.receive(sealFrame(eve.key, { kind: 'rejoin', group: id, body: prekey.bytes }))
    await ann.rooms.say(id, 'still there?')
    await world.until(() => bob.texts().includes('still there?'))
    assert.equal(bob.rooms.list()[0]?.members.length, 2)
    assert.ok(world.wire.every(({ to }) => to !== eve.did))
  })
})
