import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeCanonical,
  didFromIpnsName,
  didFromPeerId,
  encodeCanonical,
  ipnsNameFromDid,
  keyPairFromSeed,
  openEnvelope,
  parseDid,
  peerIdFromDid,
  sealEnvelope,
  verifySignature
} from '#did'
import { oracleVerify } from '../../support/ed25519-oracle.ts'

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })
const labels = fc.stringMatching(/^[!-~]{1,40}$/)
const payloads = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.integer(),
    fc
      .bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n })
      .filter((n) => n !== BigInt(Number(n)) || !Number.isSafeInteger(Number(n))),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ minLength: 1 }), tie('value'), { maxKeys: 5, noNullPrototype: true })
  )
})).value

const envelopes = fc
  .record({ seed: seeds, domain: labels, type: labels, payload: payloads })
  .map(({ seed, domain, type, payload }) => {
    const signer = keyPairFromSeed(seed)
    return { signer, domain, type, payload, sealed: sealEnvelope(signer, { domain, type, payload }) }
  })

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    assert.equal((thrown as Error).name, 'DidError', String(thrown))
    return (thrown as { code: string }).code
  }
  return 'accepted'
}

describe('properties of envelopes', () => {
  it('what is sealed opens to the same payload and signer', () => {
    fc.assert(
      fc.property(envelopes, ({ signer, domain, type, payload, sealed }) => {
        const opened = openEnvelope(sealed, { domain, type, bytesMax: sealed.length })
        assert.equal(opened.signer, signer.did)
        assert.deepEqual(encodeCanonical(opened.payload), encodeCanonical(payload))
      }),
      { numRuns: 300 }
    )
  })

  it('any changed byte is refused', () => {
    fc.assert(
      fc.property(
        envelopes,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        ({ domain, type, sealed }, at, change) => {
          const changed = Uint8Array.from(sealed)
          changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ change
          assert.notEqual(
            codeOf(() => openEnvelope(changed, { domain, type, bytesMax: 10_000 })),
            'accepted'
          )
        }
      ),
      { numRuns: 1000 }
    )
  })

  it('every single byte of one envelope matters, in each bit', () => {
    const signer = keyPairFromSeed(new Uint8Array(32))
    const expected = { domain: 'd', type: 't', bytesMax: 1000 }
    const sealed = sealEnvelope(signer, { ...expected, payload: { a: [1, 'b'] } })
    for (let at = 0; at < sealed.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = sealed.with(at, (sealed[at] ?? 0) ^ (1 << bit))
        assert.notEqual(
          codeOf(() => openEnvelope(changed, expected)),
          'accepted',
          `byte ${at} bit ${bit}`
        )
      }
    }
  })

  it('another domain or type is refused with its code', () => {
    fc.assert(
      fc.property(envelopes, labels, ({ domain, type, sealed }, other) => {
        const asDomain = codeOf(() => openEnvelope(sealed, { domain: other, type, bytesMax: 10_000 }))
        assert.equal(asDomain, other === domain ? 'accepted' : 'ERR_ENVELOPE_DOMAIN')
        const asType = codeOf(() => openEnvelope(sealed, { domain, type: other, bytesMax: 10_000 }))
        assert.equal(asType, other === type ? 'accepted' : 'ERR_ENVELOPE_TYPE')
      }),
      { numRuns: 200 }
    )
  })

  it('no bytes do anything but open or throw a coded error', () => {
    const random = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(random, (bytes) => {
        codeOf(() => openEnvelope(bytes, { domain: 'd', type: 't', bytesMax: 256 }))
        codeOf(() => decodeCanonical(bytes, { bytesMax: 256 }))
      }),
      { numRuns: 3000 }
    )
  })

  it('what decodes encodes to the same bytes', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const bytes = encodeCanonical(payload)
        assert.deepEqual(encodeCanonical(decodeCanonical(bytes, { bytesMax: bytes.length })), bytes)
      }),
      { numRuns: 500 }
    )
  })
})

describe('properties of keys', () => {
  it('names lead back to the key', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { did } = keyPairFromSeed(seed)
        assert.equal(parseDid(did), did)
        assert.equal(didFromPeerId(peerIdFromDid(did)), did)
        assert.equal(didFromIpnsName(ipnsNameFromDid(did)), did)
      })
    )
  })

  it('no text does anything but parse to itself or throw a coded error', () => {
    const nearDids = fc
      .tuple(seeds, fc.nat(70), fc.string({ minLength: 0, maxLength: 2 }))
      .map(([seed, at, insert]) => {
        const { did } = keyPairFromSeed(seed)
        return did.slice(0, at) + insert + did.slice(at + 1)
      })
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearDids), (text) => {
        const code = codeOf(() => assert.equal(parseDid(text), text))
        assert.ok(code === 'accepted' || code === 'ERR_DID_INVALID')
      }),
      { numRuns: 1000 }
    )
  })

  it('verification agrees with the oracle, whatever byte is changed', () => {
    const changes = fc.record({
      part: fc.constantFrom('key', 'message', 'signature', 'none'),
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 255 })
    })
    fc.assert(
      fc.property(seeds, fc.uint8Array({ minLength: 1 }), changes, (seed, message, { part, at, by }) => {
        const signer = keyPairFromSeed(seed)
        const parts = { key: signer.publicKey, message, signature: signer.sign(message) }
        if (part !== 'none') {
          const bytes = parts[part]
          parts[part] = bytes.with(at % bytes.length, (bytes[at % bytes.length] ?? 0) ^ by)
        }
        const ours = verifySignature(parts.key, parts.message, parts.signature)
        assert.equal(ours, part === 'none')
        assert.equal(ours, oracleVerify(parts.key, parts.message, parts.signature))
      }),
      { numRuns: 100 }
    )
  })
})
