import assert from 'node:assert/strict'
import { systemRandom } from '#contracts'
import { createKeyPair, encodeCanonical, envelopeBytesMax, openEnvelope, sealEnvelope } from '#did'
import invalid from '../../vectors/envelope/invalid.json' with { type: 'json' }
import valid from '../../vectors/envelope/valid.json' with { type: 'json' }

const LABELS = { domain: 'elastos/example', type: 'greeting/1' }

describe('envelopes', () => {
  for (const { comment, domain, type, signer, payload, envelope } of valid) {
    it(`open with their signer and payload: ${comment}`, () => {
      const opened = openEnvelope(Buffer.from(envelope, 'hex'), { domain, type, bytesMax: 1024 })
      assert.equal(opened.signer, signer)
      assert.equal(Buffer.from(encodeCanonical(opened.payload)).toString('hex'), payload)
    })
  }

  for (const { comment, code, domain, type, envelope } of invalid) {
    it(`are refused with ${code}: ${comment}`, () => {
      const open = (): unknown => openEnvelope(Buffer.from(envelope, 'hex'), { domain, type, bytesMax: 1024 })
      assert.throws(open, { code, name: 'DidError' })
    })
  }

  it('sealed here open here, at exactly the size the reader allows', () => {
    const alice = createKeyPair(systemRandom)
    const payload = { text: 'hello', list: [1, 2, 3], bytes: Uint8Array.of(1) }
    const sealed = sealEnvelope(alice, { ...LABELS, payload })
    assert.deepEqual(openEnvelope(sealed, { ...LABELS, bytesMax: sealed.length }), {
      signer: alice.did,
      payload
    })
    assert.throws(() => openEnvelope(sealed, { ...LABELS, bytesMax: sealed.length - 1 }), {
      code: 'ERR_ENVELOPE_TOO_LARGE'
    })
  })

  it('have one form: the same payload sealed twice is the same bytes', () => {
    const alice = createKeyPair(systemRandom)
    const one = sealEnvelope(alice, { ...LABELS, payload: { a: 1, b: 2 } })
    assert.deepEqual(sealEnvelope(alice, { ...LABELS, payload: { b: 2, a: 1 } }), one)
  })

  it('fit into the bound a reader computes, with the longest labels', () => {
    const alice = createKeyPair(systemRandom)
    const labels = { domain: 'd'.repeat(128), type: 't'.repeat(128) }
    const payload = new Uint8Array(10_000)
    const sealed = sealEnvelope(alice, { ...labels, payload })
    const bytesMax = envelopeBytesMax(encodeCanonical(payload).length)
    assert.equal(openEnvelope(sealed, { ...labels, bytesMax }).signer, alice.did)
  })

  it('refuse at the seal what nobody could open', () => {
    const alice = createKeyPair(systemRandom)
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    let deep: unknown = 1
    for (let i = 0; i < 100; i++) deep = [deep]
    const payloads: [unknown, string][] = [
      [undefined, 'ERR_CBOR_UNSUPPORTED'],
      [{ a: undefined }, 'ERR_CBOR_UNSUPPORTED'],
      [0.5, 'ERR_CBOR_UNSUPPORTED'],
      [Number.NaN, 'ERR_CBOR_UNSUPPORTED'],
      [() => 1, 'ERR_CBOR_UNSUPPORTED'],
      [cyclic, 'ERR_CBOR_UNSUPPORTED'],
      [2n ** 64n, 'ERR_CBOR_UNSUPPORTED'],
      [deep, 'ERR_CBOR_TOO_DEEP'],
      [new Uint8Array(1_048_576), 'ERR_ENVELOPE_PAYLOAD']
    ]
    for (const [payload, code] of payloads) {
      assert.throws(() => sealEnvelope(alice, { ...LABELS, payload }), { code }, code)
    }
    for (const label of ['', 'with space', 'x'.repeat(129), 'ümlaut', 'line\n']) {
      assert.throws(() => sealEnvelope(alice, { ...LABELS, domain: label, payload: 1 }), {
        code: 'ERR_ENVELOPE_DOMAIN'
      })
      assert.throws(() => sealEnvelope(alice, { ...LABELS, type: label, payload: 1 }), {
        code: 'ERR_ENVELOPE_TYPE'
      })
    }
  })
})
