import assert from 'node:assert/strict'
import fc from 'fast-check'
import { certifyDevice, createKeyPair } from '#did'
import {
  isSameProof,
  pairingProof,
  readCertificateText,
  readPairingCode,
  writeCertificateText,
  writePairingCode
} from '../../../../node/devices/pairing-code.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const random = createSeededRandom(42)
const [person, device, other] = [createKeyPair(random), createKeyPair(random), createKeyPair(random)]
const CODE = { device: device.did, key: random.bytes(16), addresses: ['/ip4/192.168.1.7/tcp/4001'] }

describe('a pairing code', () => {
  it('says who, where and with which key, and survives what a terminal does to a long line', () => {
    const text = writePairingCode(CODE)
    assert.deepEqual(readPairingCode(text), CODE)
    assert.deepEqual(readPairingCode(`\n ${text.slice(0, 40)}\n${text.slice(40)} `), CODE)
  })

  it('leaves out addresses beyond the fourth, and none that is too long gets in', () => {
    const addresses = Array.from({ length: 6 }, (_, index) => `/ip4/10.0.0.${index}/tcp/1`)
    const long = `/dns4/${'a'.repeat(200)}/tcp/1`
    const read = readPairingCode(writePairingCode({ ...CODE, addresses: [long, ...addresses] }))
    assert.deepEqual(read.addresses, addresses.slice(0, 4))
  })

  it('that was changed in any way is refused, or is another one', () => {
    const text = writePairingCode(CODE)
    const change = fc.tuple(fc.nat(text.length - 1), fc.nat(2), fc.string({ maxLength: 3 }))
    const property = fc.property(change, ([at, remove, insert]) => {
      const changed = text.slice(0, at) + insert + text.slice(at + remove)
      try {
        const read = readPairingCode(changed)
        assert.equal(writePairingCode(read), changed.replaceAll(/\s/g, ''))
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, 'ERR_PAIRING_CODE', String(thrown))
      }
    })
    fc.assert(property, { numRuns: 2_000 })
    assert.throws(() => readPairingCode('a'.repeat(10_000_000)), { code: 'ERR_PAIRING_CODE' })
  })

  it('is proven to be known, for one certificate between two devices', () => {
    const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
    const proof = pairingProof(CODE, { certificate, from: other.did })
    assert.ok(isSameProof(proof, pairingProof(CODE, { certificate, from: other.did })))
    const others = [
      pairingProof({ ...CODE, key: random.bytes(16) }, { certificate, from: other.did }),
      pairingProof({ ...CODE, device: other.did }, { certificate, from: other.did }),
      pairingProof(CODE, { certificate, from: person.did }),
      pairingProof(CODE, { certificate: certificate.with(-1, 0), from: other.did }),
      new Uint8Array(0)
    ]
    for (const one of others) assert.ok(!isSameProof(proof, one))
  })
})

describe('a certificate as text', () => {
  it('is read back, and refused when it is cut or of somebody else’s making', () => {
    const certificate = certifyDevice(person, { device: device.did, issuedAtMs: 1 })
    const text = writeCertificateText(certificate)
    assert.deepEqual(Buffer.from(readCertificateText(`${text}\n`)), Buffer.from(certificate))
    for (const bad of [text.slice(0, -1), text.slice(1), writePairingCode(CODE), '', text + '=']) {
      assert.throws(() => readCertificateText(bad))
    }
    const forged = writeCertificateText(certificate.with(-1, (certificate.at(-1) ?? 0) ^ 1))
    assert.throws(() => readCertificateText(forged), { code: 'ERR_ENVELOPE_SIGNATURE' })
  })
})
