import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import {
  certifyDevice,
  createKeyPair,
  openCertificate,
  openDeviceStatement,
  parseDid,
  personOfDevice,
  sealEnvelope,
  stateDevice,
  type Did
} from '#did'
import invalid from '../../vectors/identity/invalid.json' with { type: 'json' }
import valid from '../../vectors/identity/valid.json' with { type: 'json' }

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

describe('device certificates', () => {
  for (const { comment, certificate, statement, statedAtMs, ...claim } of valid) {
    it(`open: ${comment}`, () => {
      const { comment: _, ...expected } = { comment, ...claim }
      assert.deepEqual(openCertificate(fromHex(certificate)), expected)
      assert.deepEqual(openDeviceStatement(fromHex(statement)), { ...expected, statedAtMs })
      assert.equal(personOfDevice(fromHex(certificate), parseDid(claim.device)), claim.person)
    })
  }

  for (const { comment, code, certificate } of invalid) {
    it(`are refused with ${code}: ${comment}`, () => {
      assert.throws(() => openCertificate(fromHex(certificate)), { code })
    })
  }

  const person = createKeyPair(systemRandom)
  const device = createKeyPair(systemRandom)
  const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })

  it('are not made for what is no device, no time or no name', () => {
    const claims = [
      { device: 'did:web:example.org' as Did, issuedAtMs: 1 },
      { device: device.did, issuedAtMs: 1.5 },
      { device: device.did, issuedAtMs: Number.NaN },
      { device: device.did, issuedAtMs: 1, name: 'a\nb' }
    ]
    for (const claim of claims)
      assert.throws(() => certifyDevice(person, claim), { code: 'ERR_CERTIFICATE_INVALID' })
  })

  it('bind the device they name and no other', () => {
    const stranger = createKeyPair(systemRandom)
    assert.equal(personOfDevice(certificate, device.did), person.did)
    assert.throws(() => personOfDevice(certificate, stranger.did), { code: 'ERR_CERTIFICATE_DEVICE' })
    assert.throws(() => stateDevice(stranger, certificate, 1), { code: 'ERR_CERTIFICATE_DEVICE' })
  })

  it('claimed by a person whose device does not agree make no statement', () => {
    // A stranger certifies our device and states it with a key of their own.
    const stranger = createKeyPair(systemRandom)
    const claimed = certifyDevice(stranger, { device: device.did, issuedAtMs: 1 })
    const forged = sealEnvelope(stranger, {
      domain: 'elastos/identity',
      type: 'device-statement/1',
      payload: { certificate: claimed, statedAtMs: 1 }
    })
    assert.throws(() => openDeviceStatement(forged), { code: 'ERR_CERTIFICATE_DEVICE' })
  })

  it('inside a statement are verified too', () => {
    const broken = Uint8Array.from(certificate)
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
    const labels = { domain: 'elastos/identity', type: 'device-statement/1' }
    const state = (payload: unknown): Uint8Array => sealEnvelope(device, { ...labels, payload })
    const cases: [unknown, string][] = [
      [{ certificate: broken, statedAtMs: 1 }, 'ERR_ENVELOPE_SIGNATURE'],
      [{ certificate: 'text', statedAtMs: 1 }, 'ERR_CERTIFICATE_INVALID'],
      [{ certificate, statedAtMs: -1 }, 'ERR_CERTIFICATE_INVALID'],
      [{ certificate, statedAtMs: 1, more: 1 }, 'ERR_CERTIFICATE_INVALID'],
      [null, 'ERR_CERTIFICATE_INVALID']
    ]
    for (const [payload, code] of cases) assert.throws(() => openDeviceStatement(state(payload)), { code })
  })
})
