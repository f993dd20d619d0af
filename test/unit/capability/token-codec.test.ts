import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { decodeToken, TOKEN_BYTES_MAX } from '#capability'
import invalid from '../../vectors/capability-token/invalid.json' with { type: 'json' }
import valid from '../../vectors/capability-token/valid.json' with { type: 'json' }

const first = (): Uint8Array => Buffer.from(valid[0]?.token ?? '', 'hex')

describe('tokens', () => {
  for (const { comment, token, ...fields } of valid) {
    it(`decode: ${comment}`, () => {
      const decoded = decodeToken(Buffer.from(token, 'hex'))
      assert.equal(Buffer.from(decoded.bytes).toString('hex'), token)
      assert.deepEqual(
        {
          cid: decoded.cid,
          issuer: decoded.issuer,
          audience: decoded.audience,
          subject: decoded.subject,
          command: decoded.command,
          resource: decoded.resource,
          notBeforeMs: decoded.notBeforeMs ?? null,
          expiresAtMs: decoded.expiresAtMs,
          nonce: Buffer.from(decoded.nonce).toString('hex'),
          epoch: decoded.epoch,
          usesMax: decoded.usesMax ?? null,
          proof: decoded.proof ?? null
        },
        fields
      )
    })
  }

  for (const { comment, code, token } of invalid) {
    it(`are refused with ${code}: ${comment}`, () => {
      assert.throws(() => decodeToken(Buffer.from(token, 'hex')), { code, name: 'CapabilityError' })
    })
  }

  it('are not even looked at when they are too large', () => {
    assert.throws(() => decodeToken(new Uint8Array(TOKEN_BYTES_MAX + 1)), { code: 'ERR_TOKEN_TOO_LARGE' })
    assert.throws(() => decodeToken(new Uint8Array(TOKEN_BYTES_MAX)), { code: 'ERR_TOKEN_MALFORMED' })
  })

  it('cannot be changed by whoever made the bytes, or reads them', () => {
    const bytes = Uint8Array.from(first())
    const token = decodeToken(bytes)
    const before = inspect(token.bytes, { maxArrayLength: null })
    bytes.fill(0)
    token.bytes.fill(0)
    token.nonce.fill(0)
    assert.equal(inspect(token.bytes, { maxArrayLength: null }), before)
    assert.ok(token.nonce.some((byte) => byte !== 0))
    assert.throws(() => Object.assign(token, { command: 'localhost/*' }), TypeError)
  })

  it('are small', () => {
    assert.ok(first().length < 240, `${first().length} bytes`)
  })
})
