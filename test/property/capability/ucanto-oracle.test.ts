import assert from 'node:assert/strict'
import fc from 'fast-check'
import { resourceCovers, verifyChain, type Token } from '#capability'
import { keyPairFromSeed, type KeyPair } from '#did'
import { sealRawToken } from '../../support/raw-token.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { oracleAllows, oracleChain, type OracleLink } from '../../support/ucanto-oracle.ts'

// Where the semantics meet: signatures, who passes on to whom, patterns of commands and resources, times, revocation.
// UCAN has no epoch, no use counts, no ceiling and no bound on the length of a chain, and looks at the times and the
// commands of each link by itself, where we also insist that they only narrow.
const KEYS = [1, 2, 3, 4].map((n) => keyPairFromSeed(new Uint8Array(32).fill(n)))
const [DEVICE] = KEYS
assert.ok(DEVICE)
const COMMANDS = ['file/read', 'file/write']
const RESOURCES = ['localhost://a', 'localhost://a/b', 'localhost://ab']
const random = createSeededRandom(22)
const nowS = Math.floor(Date.now() / 1000)

// Not the device: in UCAN a root may do anything with what is its own; here it needs a token as anybody does.
const keys = fc.constantFrom(...KEYS.slice(1))
const mostly = <T>(value: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.constantFrom(...Array.from({ length: 6 }, () => value), ...others)
const links = fc.record({
  audience: keys,
  command: mostly('file/*', ...COMMANDS, 'did/*'),
  resource: mostly('localhost://a/*', ...RESOURCES, 'localhost://a/b/*'),
  notBeforeS: mostly<number | null>(null, nowS - 1_000, nowS + 1_000),
  expiresAtS: mostly<number | null>(nowS + 1_000, null, nowS + 2_000, nowS - 1_000),
  wrongIssuer: mostly(false, true)
})

describe('the UCAN validator as an oracle', function () {
  this.timeout(120_000)

  it('allows what we allow, and refuses what we refuse but for what we alone ask for', async () => {
    const seen = { both: 0, neither: 0, stricter: 0 }
    const property = fc.asyncProperty(
      fc.array(links, { minLength: 1, maxLength: 4 }),
      fc.record({
        actor: fc.option(keys, { nil: undefined, freq: 1 }),
        command: fc.constantFrom(...COMMANDS),
        resource: fc.constantFrom(...RESOURCES),
        revoked: mostly<number | undefined>(undefined, 0, 1, 2, 3)
      }),
      async (described, { actor, command, resource, revoked }) => {
        const chain = chainOf(described)
        const asked = { actor: actor ?? described.at(-1)?.audience ?? DEVICE, command, resource }
        const ours = verifyChain(ourChain(chain), {
          ...{ root: DEVICE.did, audience: asked.actor.did, subject: DEVICE.did, command, resource },
          ...{ nowMs: nowS * 1000, epoch: 0, ceiling: [{ command, resource }] },
          isRevoked: (cid) => cid === ourChain(chain)[revoked ?? 9]?.cid
        })
        const question = { ...asked, root: DEVICE, ...(revoked === undefined ? {} : { revoked }) }
        const theirs = await oracleAllows(await oracleChain(chain, question))
        if (ours.code === 'ERR_TOKEN_WIDER') {
          seen.stricter++
          const isResourceWider = chain.some(
            (link, index) => index > 0 && !resourceCovers(chain[index - 1]?.resource ?? '', link.resource)
          )
          if (isResourceWider) assert.equal(theirs, false)
          return
        }
        assert.equal(theirs, ours.isAllowed, ours.code ?? 'allowed')
        seen[theirs ? 'both' : 'neither']++
      }
    )
    await fc.assert(property, { numRuns: 200 })
    assert.ok(seen.both >= 3 && seen.neither >= 20 && seen.stricter >= 1, JSON.stringify(seen))
  })
})

type Described = typeof links extends fc.Arbitrary<infer L> ? L : never

function chainOf(described: readonly Described[]): readonly OracleLink[] {
  return described.map(({ wrongIssuer, ...link }, index) => {
    const holder = described[index - 1]?.audience ?? KEYS[0]
    const issuer = wrongIssuer ? KEYS[3] : holder
    assert.ok(issuer)
    return { ...link, issuer }
  })
}

const sealed = new WeakMap<object, readonly Token[]>()

function ourChain(chain: readonly OracleLink[]): readonly Token[] {
  const known = sealed.get(chain)
  if (known !== undefined) return known
  const tokens: Token[] = []
  for (const link of chain) tokens.push(sealLink(link, DEVICE as KeyPair, tokens.at(-1)))
  sealed.set(chain, tokens)
  return tokens
}

function sealLink(link: OracleLink, subject: KeyPair, parent: Token | undefined): Token {
  return sealRawToken(link.issuer, {
    audience: link.audience.did,
    subject: subject.did,
    command: link.command,
    resource: link.resource,
    expiresAtMs: link.expiresAtS === null ? null : link.expiresAtS * 1000,
    epoch: 0,
    nonce: random.bytes(12),
    ...(link.notBeforeS === null ? {} : { notBeforeMs: link.notBeforeS * 1000 }),
    ...(parent === undefined ? {} : { proof: parent.cid })
  })
}
