import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, systemRandom } from '#contracts'
import {
  adoptKeystore,
  certifyDevice,
  createKeyPair,
  DEVICES_LISTED_MAX,
  DEVICES_REVOKED_MAX,
  openDeviceList,
  openKeystore,
  sealEnvelope,
  signDeviceList,
  stateDevice,
  systemPrivateFiles,
  type KeyPair,
  type ListedDevice
} from '#did'
import invalidLists from '../../vectors/device-list/invalid.json' with { type: 'json' }
import validLists from '../../vectors/device-list/valid.json' with { type: 'json' }
import { createSeededRandom } from '../../support/seeded-random.ts'

const random = createSeededRandom(31)
const person = createKeyPair(random)
const other = createKeyPair(random)
const [laptop, phone] = [createKeyPair(random), createKeyPair(random)]

function stated(device: KeyPair, by: KeyPair = person): ListedDevice {
  const certificate = certifyDevice(by, { device: device.did, issuedAtMs: 1, name: 'a'.repeat(64) })
  return { device: device.did, atMs: 1, statement: stateDevice(device, certificate, 2) }
}

const LIST = { sequence: 3, issuedAtMs: 5, devices: [stated(laptop)], revoked: [stated(phone)] }

describe('device lists', () => {
  for (const { comment, list, devices, revoked, ...fields } of validLists) {
    it(`open: ${comment}`, () => {
      const opened = openDeviceList(Buffer.from(list, 'hex'))
      const shown = ({ statement, ...entry }: ListedDevice): object =>
        statement === undefined ? entry : { ...entry, statement: Buffer.from(statement).toString('hex') }
      const said = { ...opened, devices: opened.devices.map(shown), revoked: opened.revoked.map(shown) }
      assert.deepEqual(said, { ...fields, devices, revoked })
    })
  }

  for (const { comment, code, list } of invalidLists) {
    it(`are refused with ${code}: ${comment}`, () => {
      assert.throws(() => openDeviceList(Buffer.from(list, 'hex')), { code })
    })
  }

  it('open to what was signed, and to whom', () => {
    assert.deepEqual(openDeviceList(signDeviceList(person, LIST)), { person: person.did, ...LIST })
    const bare = { ...LIST, devices: [{ device: laptop.did, atMs: 1 }], revoked: [] }
    assert.deepEqual(openDeviceList(signDeviceList(person, bare)), { person: person.did, ...bare })
  })

  it('fit with as many devices as may be', () => {
    const many = (count: number): ListedDevice[] =>
      Array.from({ length: count }, () => stated(createKeyPair(random)))
    const list = { ...LIST, devices: many(DEVICES_LISTED_MAX), revoked: many(DEVICES_REVOKED_MAX) }
    assert.equal(openDeviceList(signDeviceList(person, list)).revoked.length, DEVICES_REVOKED_MAX)
  })

  const refused: readonly (readonly [string, object])[] = [
    ['sequence 0', { sequence: 0 }],
    ['a fraction of a time', { issuedAtMs: -1 }],
    ['a device twice', { devices: [stated(laptop), stated(laptop)] }],
    ['a device that is revoked too', { devices: [stated(phone)] }],
    [
      'a statement of another device',
      { devices: [{ ...stated(laptop), device: createKeyPair(random).did }] }
    ],
    ['a statement about another person', { devices: [stated(laptop, other)] }],
    [
      'bytes that are no statement',
      { devices: [{ device: laptop.did, atMs: 1, statement: new Uint8Array(8) }] }
    ],
    ['something that is no did', { devices: [{ device: 'did:key:zNobody', atMs: 1 }] }],
    ['another field', { more: 1 }],
    ['no revoked devices', { revoked: null }],
    [
      'too many devices',
      { devices: Array.from({ length: DEVICES_LISTED_MAX + 1 }, () => stated(createKeyPair(random))) }
    ]
  ]
  for (const [what, change] of refused) {
    it(`refuse ${what}`, () => {
      const payload = { ...LIST, ...change }
      const sealed = sealEnvelope(person, { domain: 'elastos/identity', type: 'device-list/1', payload })
      assert.throws(() => openDeviceList(sealed), { code: 'ERR_DEVICE_LIST_INVALID' })
    })
  }

  it('are not taken for anything else, nor changed', () => {
    const sealed = signDeviceList(person, LIST)
    const certificate = certifyDevice(person, { device: laptop.did, issuedAtMs: 1 })
    assert.throws(() => openDeviceList(certificate), { code: 'ERR_ENVELOPE_TYPE' })
    assert.throws(() => openDeviceList(sealed.with(-1, (sealed.at(-1) ?? 0) ^ 1)), {
      code: 'ERR_ENVELOPE_SIGNATURE'
    })
    assert.throws(() => openDeviceList(new Uint8Array(200_000)), { code: 'ERR_ENVELOPE_TOO_LARGE' })
  })
})

describe('a keystore of a device that was added', () => {
  it('holds the device key and the certificate, and nothing that publishes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'elastos-adopt-'))
    try {
      const components = { files: systemPrivateFiles, clock: systemClock, random: systemRandom }
      const keys = join(folder, 'keys')
      const certificate = certifyDevice(person, { device: laptop.did, issuedAtMs: 1 })
      await adoptKeystore(keys, components, { device: laptop, certificate })
      const keystore = await openKeystore(keys, components)
      assert.equal(keystore.device.did, laptop.did)
      assert.equal(keystore.personDid, person.did)
      assert.equal(keystore.publisher(), undefined)
      assert.deepEqual(keystore.summary().status, { device: 'open', root: 'absent', publishing: 'absent' })
      await assert.rejects(adoptKeystore(keys, components, { device: laptop, certificate }), {
        code: 'ERR_KEYSTORE_EXISTS'
      })
      await assert.rejects(adoptKeystore(join(folder, 'x'), components, { device: phone, certificate }), {
        code: 'ERR_CERTIFICATE_DEVICE'
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
