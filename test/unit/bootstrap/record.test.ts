import assert from 'node:assert/strict'
import { openBootstrapRecord, sealBootstrapRecord } from '#bootstrap'
import { keyPairFromSeed, peerIdFromDid } from '#did'
import invalid from '../../vectors/bootstrap-record/invalid.json' with { type: 'json' }
import valid from '../../vectors/bootstrap-record/valid.json' with { type: 'json' }

describe('bootstrap records', () => {
  for (const { comment, record, nowMs, ...expected } of valid) {
    it(`open: ${comment}`, () => {
      const { network } = expected
      assert.deepEqual(openBootstrapRecord(Buffer.from(record, 'hex'), { network, nowMs }), expected)
    })
  }

  for (const { comment, code, record, network, nowMs } of invalid) {
    it(`are refused with ${code}: ${comment}`, () => {
      const open = (): unknown => openBootstrapRecord(Buffer.from(record, 'hex'), { network, nowMs })
      assert.throws(open, { code, name: 'BootstrapError' })
    })
  }

  it('whose time is wrong say by how much and what to look at', () => {
    const signer = keyPairFromSeed(new Uint8Array(32))
    const addresses = [`/ip4/192.0.2.1/tcp/1/p2p/${peerIdFromDid(signer.did)}`]
    const bytes = sealBootstrapRecord(signer, {
      addresses,
      network: 'n',
      issuedAtMs: 100 * 3_600_000,
      validForMs: 1
    })
    assert.throws(() => openBootstrapRecord(bytes, { network: 'n', nowMs: 76 * 3_600_000 }), {
      message: /24\.0 hours from now: is the clock of this device or of the seed wrong\?/
    })
    assert.throws(() => openBootstrapRecord(bytes, { network: 'n', nowMs: 148 * 3_600_000 }), {
      message: /48\.0 hours ago: is the clock/
    })
  })

  it('are not signed for what nobody would read', () => {
    const signer = keyPairFromSeed(new Uint8Array(32))
    const claim = { addresses: ['/ip4/192.0.2.1/tcp/1'], network: 'n', issuedAtMs: 1, validForMs: 1 }
    assert.throws(() => sealBootstrapRecord(signer, claim), { code: 'ERR_RECORD_INVALID' })
  })
})
