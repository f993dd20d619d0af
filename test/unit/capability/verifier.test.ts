import assert from 'node:assert/strict'
import { createVerifier, decodeToken, issueToken, verifyChain, type Access, type Token } from '#capability'
import { createKeyPair } from '#did'
import { createSeededRandom } from '../../support/seeded-random.ts'

const random = createSeededRandom(12)
const device = createKeyPair(random)
const alice = createKeyPair(random)
const bob = createKeyPair(random)
const FIELDS = { command: 'localhost/read', resource: 'localhost://a', expiresAtMs: 2_000, epoch: 0 }
const ACCESS: Access = {
  root: device.did,
  audience: bob.did,
  subject: alice.did,
  command: 'localhost/read',
  resource: 'localhost://a',
  nowMs: 1_000,
  epoch: 0,
  ceiling: [{ command: 'localhost/read', resource: 'localhost://*' }],
  isRevoked: () => false
}

function makeChain(): readonly [Token, Token] {
  const root = issueToken(device, { ...FIELDS, audience: alice.did }, random)
  return [root, issueToken(alice, { ...FIELDS, audience: bob.did, parent: root }, random)]
}

/** The same token with its last byte changed, so that its signature is none. */
function damaged(token: Token): Token {
  return decodeToken(token.bytes.with(-1, (token.bytes.at(-1) ?? 0) ^ 1))
}

describe('a verifier', () => {
  it('gives the verdict of the list of checks, the first time and every other', () => {
    const verifier = createVerifier()
    const chain = makeChain()
    const accesses: Access[] = [
      ACCESS,
      { ...ACCESS, nowMs: 2_000 },
      { ...ACCESS, epoch: 1 },
      { ...ACCESS, isRevoked: (cid) => cid === chain[0].cid },
      { ...ACCESS, audience: alice.did },
      { ...ACCESS, root: bob.did },
      { ...ACCESS, command: 'localhost/write' },
      { ...ACCESS, ceiling: [] }
    ]
    for (let round = 0; round < 3; round++) {
      for (const access of accesses) {
        for (const all of [false, true]) {
          assert.deepEqual(verifier.verify(chain, access, { all }), verifyChain(chain, access, { all }))
        }
      }
    }
  })

  it('is not fooled by a bad chain, before or after a good one', () => {
    const [root, leaf] = makeChain()
    const verifier = createVerifier()
    const bad: (readonly Token[])[] = [
      [],
      [leaf],
      [root, damaged(leaf)],
      [damaged(root), leaf],
      [leaf, root],
      [root, root, leaf],
      [root, { ...leaf, bytes: leaf.bytes, nonce: leaf.nonce, resource: 'localhost://b' }]
    ]
    for (let round = 0; round < 2; round++) {
      for (const chain of bad) {
        assert.equal(verifier.verify(chain, ACCESS).isAllowed, false)
        assert.equal(verifier.verify(chain, ACCESS, { all: true }).isAllowed, false)
        assert.deepEqual(verifier.verify(chain, ACCESS), verifyChain(chain, ACCESS))
      }
      assert.equal(verifier.verify([root, leaf], ACCESS).isAllowed, true)
    }
  })

  it('knows a chain again that was decoded anew', () => {
    const verifier = createVerifier()
    const chain = makeChain()
    assert.equal(verifier.verify(chain, ACCESS).isAllowed, true)
    const again = chain.map((token) => decodeToken(token.bytes))
    assert.equal(verifier.verify(again, ACCESS).isAllowed, true)
  })

  it('keeps its verdicts right when it forgets', () => {
    const verifier = createVerifier({ chainsMax: 2 })
    const chains = [makeChain(), makeChain(), makeChain(), makeChain()]
    for (let round = 0; round < 2; round++) {
      for (const chain of chains) assert.equal(verifier.verify(chain, ACCESS).isAllowed, true)
    }
  })
})
