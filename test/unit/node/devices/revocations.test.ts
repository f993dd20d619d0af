import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import {
  certifyDevice,
  createKeyPair,
  signDeviceList,
  stateDevice,
  type KeyPair,
  type ListedDevice
} from '#did'
import { STRANGERS_MAX } from '../../../../node/devices/constants.ts'
import {
  openRevocations,
  readList,
  type Revocations,
  type SignedList
} from '../../../../node/devices/revocations.ts'
import type { TextFiles } from '../../../../node/text-files.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const random = createSeededRandom(41)
const [owner, ann, eve] = [createKeyPair(random), createKeyPair(random), createKeyPair(random)]
const [phone, tablet, lamp] = [createKeyPair(random), createKeyPair(random), createKeyPair(random)]

interface Disk extends TextFiles {
  readonly texts: Map<string, string>
}

function createDisk(): Disk {
  const texts = new Map<string, string>()
  return {
    texts,
    read: async (path) => await Promise.resolve(texts.get(path)),
    replace: async (path, text) => {
      texts.set(path, text)
      await Promise.resolve()
    }
  }
}

async function open(files: TextFiles, contacts: readonly string[] = []): Promise<Revocations> {
  return await openRevocations(
    { files, logger: silentLogger },
    { path: 'devices.json', person: owner.did, isContact: (did) => contacts.includes(did) }
  )
}

function entry(device: KeyPair, person?: KeyPair): ListedDevice {
  if (person === undefined) return { device: device.did, atMs: 1 }
  const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
  return { device: device.did, atMs: 1, statement: stateDevice(device, certificate, 1) }
}

function list(person: KeyPair, sequence: number, revoked: readonly ListedDevice[]): SignedList {
  return readList(signDeviceList(person, { sequence, issuedAtMs: 1, devices: [], revoked }))
}

describe('revocations', () => {
  it('hold at once, and after a restart', async () => {
    const disk = createDisk()
    const revocations = await open(disk, [ann.did])
    assert.equal(revocations.isRevoked(ann.did, phone.did), false)
    const taken = await revocations.take(list(ann, 1, [entry(phone)]))
    assert.deepEqual(taken, { isNews: true, revoked: [phone.did] })
    for (const one of [revocations, await open(disk)]) {
      assert.equal(one.isRevoked(ann.did, phone.did), true)
      assert.equal(one.isRevoked(ann.did, tablet.did), false)
      assert.equal(one.isRevoked(eve.did, phone.did), false)
    }
  })

  it('are never taken back, by no list of whatever sequence', async () => {
    const disk = createDisk()
    const revocations = await open(disk, [ann.did])
    await revocations.take(list(ann, 5, [entry(phone)]))
    assert.deepEqual(await revocations.take(list(ann, 6, [])), { isNews: false, revoked: [] })
    // Two devices that did not know of each other: the union holds.
    assert.deepEqual(await revocations.take(list(ann, 2, [entry(tablet)])), {
      isNews: true,
      revoked: [tablet.did]
    })
    await revocations.take(list(ann, 9, [entry(lamp)]))
    for (const one of [revocations, await open(disk, [ann.did])]) {
      for (const device of [phone, tablet, lamp]) assert.equal(one.isRevoked(ann.did, device.did), true)
    }
  })

  it('bar a device from connecting only when it is known to have been that person’s', async () => {
    const revocations = await open(createDisk(), [ann.did, eve.did])
    await revocations.take(list(eve, 1, [entry(phone), entry(tablet, eve)]))
    // Anybody can name any device; the tablet has said itself that it is Eve's.
    assert.equal(revocations.isRevokedDevice(phone.did), false)
    assert.equal(revocations.isRevokedDevice(tablet.did), true)
    // The phone speaks for Eve with her certificate: then it is hers.
    assert.equal(revocations.isRevoked(eve.did, phone.did), true)
    assert.equal(revocations.isRevokedDevice(phone.did), true)
  })

  it('bar a device that spoke for the person before it was revoked', async () => {
    const disk = createDisk()
    const revocations = await open(disk)
    revocations.isRevoked(ann.did, phone.did)
    await revocations.take(list(ann, 1, [entry(phone)]))
    for (const one of [revocations, await open(disk)]) assert.equal(one.isRevokedDevice(phone.did), true)
  })

  it('of the owner need no other word, and the owner’s list is kept', async () => {
    const disk = createDisk()
    const revocations = await open(disk)
    const latest = list(owner, 3, [entry(phone)])
    await revocations.take(latest)
    await revocations.take(list(owner, 2, [entry(tablet)]))
    for (const one of [revocations, await open(disk)]) {
      assert.equal(one.own()?.digest, latest.digest)
      assert.deepEqual([...one.ownRevoked()].sort(), [phone.did, tablet.did].sort())
      assert.equal(one.isRevokedDevice(phone.did), true)
    }
  })

  it('of strangers are remembered for those who meet them, and cannot fill anything', async () => {
    const disk = createDisk()
    const revocations = await open(disk, [ann.did])
    await revocations.take(list(ann, 1, [entry(phone, ann)]))
    await revocations.take(list(eve, 1, [entry(tablet, eve)]))
    assert.ok(!disk.texts.get('devices.json')?.includes(eve.did))
    assert.equal(revocations.isRevoked(eve.did, tablet.did), true)
    await new Promise(setImmediate)
    assert.ok(disk.texts.get('devices.json')?.includes(eve.did))
    const first = createKeyPair(random)
    await revocations.take(list(first, 1, [entry(lamp, first)]))
    for (let stranger = 0; stranger < STRANGERS_MAX + 5; stranger++) {
      const person = createKeyPair(random)
      await revocations.take(list(person, 1, [entry(createKeyPair(random)), entry(phone)]))
    }
    assert.equal(revocations.isRevokedDevice(lamp.did), false)
    assert.equal(revocations.isRevokedDevice(phone.did), true)
    assert.equal(revocations.isRevokedDevice(tablet.did), true)
    assert.ok(revocations.recent().length <= 64)
  })

  it('met before they revoked anything are kept when they do, also over a restart in between', async () => {
    const disk = createDisk()
    const before = await open(disk)
    before.isRevoked(ann.did, phone.did)
    await new Promise(setImmediate)
    const after = await open(disk)
    await after.take(list(ann, 1, [entry(phone, ann)]))
    assert.equal((await open(disk)).isRevokedDevice(phone.did), true)
  })

  it('can be told to others after a restart too', async () => {
    const disk = createDisk()
    const revocations = await open(disk, [ann.did])
    const lists = [list(ann, 1, [entry(phone, ann)]), list(ann, 2, [entry(phone, ann), entry(tablet)])]
    for (const one of lists) await revocations.take(one)
    await revocations.take(list(eve, 1, [entry(lamp, eve)]))
    const digests = (one: Revocations): string[] => one.recent().map(({ digest }) => digest)
    assert.equal(digests(revocations).length, 3)
    assert.deepEqual(
      digests(await open(disk, [ann.did])),
      lists.map(({ digest }) => digest).reverse(),
      'those of people it knows, the latest first'
    )
  })

  it('in a damaged file keep the node from starting, rather than be forgotten', async () => {
    const disk = createDisk()
    await (await open(disk, [ann.did])).take(list(ann, 1, [entry(phone)]))
    const text = disk.texts.get('devices.json') ?? ''
    const damages = [
      text.slice(0, -20),
      text.replace(phone.did, `${phone.did.slice(0, -1)}!`),
      '{"version":2,"people":[]}'
    ]
    for (const damaged of ['', ...damages]) {
      disk.texts.set('devices.json', damaged)
      await assert.rejects(open(disk), { code: 'ERR_CONFIG_INVALID' })
    }
  })
})
