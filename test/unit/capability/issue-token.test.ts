import assert from 'node:assert/strict'
import { issueToken, verifyChain, type Token, type TokenFields } from '#capability'
import { createKeyPair } from '#did'
import { createSeededRandom } from '../../support/seeded-random.ts'

const random = createSeededRandom(11)
const device = createKeyPair(random)
const alice = createKeyPair(random)
const bob = createKeyPair(random)

const FIELDS: TokenFields = {
  audience: alice.did,
  command: 'localhost/*',
  resource: 'localhost://notes/*',
  notBeforeMs: 1_000,
  expiresAtMs: 9_000,
  epoch: 3,
  usesMax: 5
}
const root = issueToken(device, FIELDS, random)
const derive = (fields: Partial<TokenFields>, parent: Token = root): Token =>
  issueToken(alice, { ...FIELDS, audience: bob.did, ...fields, parent }, random)

describe('issuing a token', () => {
  it('says what was asked, about the audience’s own data where nothing else is said', () => {
    const { issuer, audience, subject, command, resource, expiresAtMs, epoch, proof } = root
    assert.deepEqual(
      { issuer, audience, subject, command, resource, expiresAtMs, epoch, proof },
      {
        issuer: device.did,
        audience: alice.did,
        subject: alice.did,
        command: 'localhost/*',
        resource: 'localhost://notes/*',
        expiresAtMs: 9_000,
        epoch: 3,
        proof: undefined
      }
    )
    assert.equal(issueToken(device, { ...FIELDS, subject: bob.did }, random).subject, bob.did)
  })

  it('never makes the same token twice', () => {
    assert.notEqual(issueToken(device, FIELDS, random).cid, root.cid)
  })

  it('brings names to their normal form, or refuses them', () => {
    const fields = { ...FIELDS, resource: 'https://EXAMPLE.org:443/a/' }
    assert.equal(issueToken(device, fields, random).resource, 'https://example.org/a')
    assert.throws(() => issueToken(device, { ...FIELDS, resource: 'localhost://../x' }, random), {
      code: 'ERR_RESOURCE_INVALID'
    })
    assert.throws(() => issueToken(device, { ...FIELDS, command: '*' }, random), {
      code: 'ERR_COMMAND_INVALID'
    })
    assert.throws(() => issueToken(device, { ...FIELDS, audience: 'did:key:zNobody' }, random), {
      code: 'ERR_DID_INVALID'
    })
  })

  for (const numbers of [
    { expiresAtMs: 0.5 },
    { expiresAtMs: Number.NaN },
    { expiresAtMs: -1 },
    { expiresAtMs: Infinity },
    { notBeforeMs: 2 ** 53 },
    { epoch: -1 },
    { epoch: 2 ** 32 },
    { usesMax: 0 },
    { usesMax: 2 ** 32 },
    { usesMax: 1.5 }
  ]) {
    it(`refuses ${JSON.stringify(numbers)}`, () => {
      assert.throws(() => issueToken(device, { ...FIELDS, ...numbers }, random), {
        code: 'ERR_TOKEN_MALFORMED'
      })
    })
  }
})

describe('deriving a token', () => {
  it('keeps what is not said: the subject, the beginning, the uses', () => {
    const { notBeforeMs: _begin, usesMax: _uses, ...rest } = FIELDS
    const token = issueToken(alice, { ...rest, audience: bob.did, parent: root }, random)
    const { subject, notBeforeMs, usesMax, proof } = token
    assert.deepEqual(
      { subject, notBeforeMs, usesMax, proof },
      { subject: alice.did, notBeforeMs: 1_000, usesMax: 5, proof: root.cid }
    )
  })

  it('gives a chain that allows the narrower access, and not the wider', () => {
    const token = derive({ command: 'localhost/read', resource: 'localhost://notes/a/*', usesMax: 1 })
    const access = {
      root: device.did,
      audience: bob.did,
      subject: alice.did,
      command: 'localhost/read',
      resource: 'localhost://notes/a/b.txt',
      nowMs: 5_000,
      epoch: 3,
      ceiling: [{ command: 'localhost/*', resource: 'localhost://*' }],
      isRevoked: () => false
    }
    assert.equal(verifyChain([root, token], access).isAllowed, true)
    assert.equal(
      verifyChain([root, token], { ...access, command: 'localhost/write' }).code,
      'ERR_TOKEN_COMMAND'
    )
    const outside = { ...access, resource: 'localhost://notes/b.txt' }
    assert.equal(verifyChain([root, token], outside).code, 'ERR_TOKEN_RESOURCE')
  })

  const wider: readonly Partial<TokenFields>[] = [
    { subject: bob.did },
    { command: 'did/read' },
    { resource: 'localhost://*' },
    { resource: 'localhost://notes2' },
    { notBeforeMs: 999 },
    { expiresAtMs: 9_001 },
    { expiresAtMs: null },
    { epoch: 4 },
    { epoch: 2 },
    { usesMax: 6 }
  ]
  for (const fields of wider) {
    it(`refuses ${JSON.stringify(fields)}`, () => {
      assert.throws(() => derive(fields), { code: 'ERR_TOKEN_WIDER' })
    })
  }

  it('is for the parent’s audience only', () => {
    assert.throws(() => issueToken(bob, { ...FIELDS, parent: root }, random), { code: 'ERR_TOKEN_CHAIN' })
  })

  it('refuses a parent that only looks like a token', () => {
    const { bytes, nonce } = root
    assert.throws(() => derive({}, { ...root, bytes, nonce }), { code: 'ERR_TOKEN_CHAIN' })
  })
})
