import assert from 'node:assert/strict'
import { decodeToken, verifyChain, type Access, type Token } from '#capability'
import chains from '../../vectors/capability-token/chains.json' with { type: 'json' }

/** A chain of the vectors, decoded, with the access it is held against. */
function openChain({ tokens, access }: (typeof chains)[number]): { chain: Token[]; access: Access } {
  const { revoked, ...rest } = access
  const isRevoked = (cid: string): boolean => (revoked as readonly string[]).includes(cid)
  const chain = tokens.map((token) => decodeToken(Buffer.from(token, 'hex')))
  return { chain, access: { ...rest, isRevoked } as Access }
}

function vector(comment: string): { chain: Token[]; access: Access } {
  const found = chains.find((entry) => entry.comment === comment)
  assert.ok(found, comment)
  return openChain(found)
}

const NAMES =
  'version signature chain narrowing root audience subject command resource not before expiry epoch revocation ceiling'

describe('verifying a chain', () => {
  for (const entry of chains) {
    it(`${entry.code ?? 'allows'}: ${entry.comment}`, () => {
      const { chain, access } = openChain(entry)
      const verdict = verifyChain(chain, access)
      assert.equal(verdict.code ?? null, entry.code)
      assert.equal(verdict.isAllowed, entry.code === null)
      assert.equal(verdict.checks.at(-1)?.isOk, entry.code === null)
    })
  }

  it('is a list of checks that ends at the first refusal', () => {
    const allowed = vector('two links')
    const { checks } = verifyChain(allowed.chain, allowed.access)
    assert.equal(checks.map(({ name }) => name).join(' '), NAMES)
    const late = verifyChain(allowed.chain, { ...allowed.access, nowMs: 2 ** 50 })
    assert.equal(late.checks.at(-1)?.name, 'expiry')
    assert.equal(late.checks.filter(({ isOk }) => !isOk).length, 1)
  })

  it('goes on to the end where everything is asked for, with the code of the first', () => {
    const { chain, access } = vector('two links')
    const wrong = { ...access, command: 'localhost/write', nowMs: 2 ** 50, ceiling: [] }
    const verdict = verifyChain(chain, wrong, { all: true })
    assert.equal(verdict.checks.map(({ name }) => name).join(' '), NAMES)
    assert.equal(verdict.code, 'ERR_TOKEN_COMMAND')
    const refused = verdict.checks.filter(({ isOk }) => !isOk)
    assert.deepEqual(
      refused.map(({ code }) => code),
      ['ERR_TOKEN_COMMAND', 'ERR_TOKEN_EXPIRED', 'ERR_TOKEN_CEILING']
    )
    assert.ok(refused.every(({ detail }) => detail !== ''))
    assert.equal(verifyChain([], wrong, { all: true }).isAllowed, false)
  })

  it('takes no object that only looks like a token', () => {
    const { chain, access } = vector('one link')
    const [token] = chain
    assert.ok(token)
    const forged = { ...token, bytes: token.bytes, nonce: token.nonce, resource: 'localhost://*' }
    assert.equal(verifyChain([forged], access).code, 'ERR_TOKEN_MALFORMED')
    const heir = Object.create(token, { resource: { value: 'localhost://*' } }) as Token
    assert.equal(verifyChain([heir], access).code, 'ERR_TOKEN_MALFORMED')
  })

  it('refuses when there is no time to compare with', () => {
    const { chain, access } = vector('two links')
    assert.equal(verifyChain(chain, { ...access, nowMs: Number.NaN }).isAllowed, false)
    assert.equal(verifyChain(chain, { ...access, epoch: Number.NaN }).isAllowed, false)
  })
})
