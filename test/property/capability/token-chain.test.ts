import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  createVerifier,
  decodeToken,
  issueToken,
  verifyChain,
  type Access,
  type CapabilityErrorCode,
  type Token,
  type TokenFields
} from '#capability'
import { keyPairFromSeed, type KeyPair } from '#did'
import { sealRawToken } from '../../support/raw-token.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'

// Few of each, so that links match each other often and by chance.
const KEYS = [1, 2, 3, 4].map((n) => keyPairFromSeed(new Uint8Array(32).fill(n)))
const DEVICE = keyOf(0)
const COMMANDS = ['file/read', 'file/write', 'did/sign']
const RESOURCES = ['', 'a', 'a/b', 'ab', 'a/b/c', 'b'].map((path) => `localhost://${path}`)
const random = createSeededRandom(21)

function keyOf(index: number): KeyPair {
  const key = KEYS[index]
  assert.ok(key)
  return key
}

const keys = fc.nat(KEYS.length - 1).map(keyOf)
const times = fc.integer({ min: 0, max: 6 })
const commands = fc.constantFrom(...COMMANDS, 'file/*', 'did/*')
const resources = fc.constantFrom(...RESOURCES, 'localhost://*', 'localhost://a/*', 'localhost://a/b/*')
const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(values, { nil: undefined, freq: 2 })
const links = fc.record({
  audience: keys,
  command: commands,
  resource: resources,
  notBeforeMs: optional(times),
  expiresAtMs: fc.option(times, { nil: null, freq: 2 }),
  epoch: fc.constantFrom(0, 0, 0, 1),
  usesMax: optional(fc.integer({ min: 1, max: 3 })),
  // What a hostile or careless issuer may get wrong; mostly nothing.
  wrong: fc.constantFrom(
    ...Array.from({ length: 12 }, () => 'nothing'),
    'issuer',
    'proof',
    'signature',
    'subject'
  )
})
type Link = typeof links extends fc.Arbitrary<infer L> ? L : never

const accesses: fc.Arbitrary<Access> = fc
  .record({
    audience: keys,
    subject: keys,
    command: fc.constantFrom(...COMMANDS),
    resource: fc.constantFrom(...RESOURCES),
    nowMs: times,
    epoch: fc.constantFrom(0, 0, 0, 1),
    ceiling: fc.array(fc.record({ command: commands, resource: resources }), { maxLength: 3 })
  })
  .map((access) => ({
    ...access,
    root: DEVICE.did,
    audience: access.audience.did,
    subject: access.subject.did,
    isRevoked: () => false
  }))

interface Made {
  readonly chain: readonly Token[]
  readonly isGenuine: boolean
}

/** A chain as described, signed whatever it says. With `tame`, each link takes over what would be wider. */
function makeChain(described: readonly Link[], tame: boolean): Made {
  const chain: Token[] = []
  let holder = DEVICE
  let isGenuine = true
  for (const link of described) {
    const { wrong, audience, notBeforeMs, usesMax, ...rest } = link
    const parent = chain.at(-1)
    const signer = wrong === 'issuer' ? keyOf((KEYS.indexOf(holder) + 1) % KEYS.length) : holder
    const subject = wrong === 'subject' ? keyOf(3).did : (chain[0]?.subject ?? audience.did)
    const proof = wrong === 'proof' ? chain.at(-2)?.cid : parent?.cid
    const said = {
      ...{ ...rest, audience: audience.did, subject, nonce: random.bytes(12) },
      ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
      ...(usesMax === undefined ? {} : { usesMax }),
      ...(proof === undefined ? {} : { proof })
    }
    const token = sealRawToken(
      signer,
      tame && parent !== undefined ? { ...said, ...narrowed(parent, said) } : said
    )
    isGenuine &&= wrong !== 'signature'
    chain.push(wrong === 'signature' ? damaged(token) : token)
    holder = audience
  }
  return { chain, isGenuine }
}

function damaged(token: Token): Token {
  return decodeToken(token.bytes.with(-1, (token.bytes.at(-1) ?? 0) ^ 1))
}

function narrowed(parent: Token, said: Bounds): Partial<Bounds> {
  const { command, resource, notBeforeMs, expiresAtMs, epoch, usesMax } = parent
  return {
    ...(modelCovers(command, said.command) ? {} : { command }),
    ...(modelCovers(resource, said.resource) ? {} : { resource }),
    ...((notBeforeMs ?? 0) > (said.notBeforeMs ?? 0) ? { notBeforeMs: notBeforeMs ?? 0 } : {}),
    ...((expiresAtMs ?? Infinity) < (said.expiresAtMs ?? Infinity) ? { expiresAtMs } : {}),
    ...((usesMax ?? Infinity) < (said.usesMax ?? Infinity) ? { usesMax: usesMax ?? 1 } : {}),
    epoch
  }
}

type Bounds = Pick<Token, 'command' | 'resource' | 'notBeforeMs' | 'expiresAtMs' | 'epoch' | 'usesMax'>

/** Patterns once more, by lists of segments. */
function modelCovers(pattern: string, name: string): boolean {
  const [mine, theirs] = [pattern.split('/'), name.split('/')]
  // `localhost://` has an empty last segment, which stands for the root itself.
  if (mine.at(-1) !== '*') return pattern === name
  const base = mine.slice(0, -1)
  if (theirs.length === base.length + 1 && theirs.at(-1) === '') theirs.pop()
  return base.every((segment, index) => theirs[index] === segment)
}

/** What one link allows by itself. */
function allowsAlone(token: Token, access: Access): boolean {
  return (
    modelCovers(token.command, access.command) &&
    modelCovers(token.resource, access.resource) &&
    (token.notBeforeMs ?? 0) <= access.nowMs &&
    access.nowMs < (token.expiresAtMs ?? Infinity) &&
    token.epoch === access.epoch &&
    token.subject === access.subject
  )
}

/** What a chain allows, said a second time and without looking at the order of the checks. */
function modelAllows({ chain, isGenuine }: Made, access: Access): boolean {
  const pairs = chain.slice(1).map((token, index) => [chain[index], token] as const)
  const isLinked = pairs.every(
    ([parent, token]) =>
      token.proof === parent?.cid &&
      token.issuer === parent?.audience &&
      modelCovers(parent.command, token.command) &&
      modelCovers(parent.resource, token.resource) &&
      (token.notBeforeMs ?? 0) >= (parent.notBeforeMs ?? 0) &&
      (token.expiresAtMs ?? Infinity) <= (parent.expiresAtMs ?? Infinity) &&
      (token.usesMax ?? Infinity) <= (parent.usesMax ?? Infinity)
  )
  return (
    isGenuine &&
    isLinked &&
    chain.length > 0 &&
    chain.length <= 8 &&
    chain[0]?.issuer === access.root &&
    chain[0].proof === undefined &&
    chain.at(-1)?.audience === access.audience &&
    chain.every((token) => allowsAlone(token, access)) &&
    access.ceiling.some(
      (entry) => modelCovers(entry.command, access.command) && modelCovers(entry.resource, access.resource)
    )
  )
}

/** Something the last link allows, so that it is up to the others. */
function fittingAccess(leaf: Token | undefined, access: Access): Access {
  if (leaf === undefined) return access
  const { audience, subject, epoch } = leaf
  const command = COMMANDS.find((one) => modelCovers(leaf.command, one)) ?? access.command
  const resource = RESOURCES.findLast((one) => modelCovers(leaf.resource, one)) ?? access.resource
  return { ...access, audience, subject, epoch, command, resource, ceiling: [{ command, resource }] }
}

const descriptions = fc.oneof(fc.array(links, { maxLength: 3 }), fc.array(links, { maxLength: 9 }))

describe('properties of chains', function () {
  this.timeout(120_000)

  it('a chain allows what the model says, the verifier says the same, and no chain more than each of its links', () => {
    const seen = { allowed: 0, refused: 0 }
    const property = fc.property(descriptions, fc.boolean(), accesses, (described, tame, access) => {
      const made = makeChain(described, tame)
      for (const asked of [access, fittingAccess(made.chain.at(-1), access)]) {
        const verdict = verifyChain(made.chain, asked)
        assert.equal(verdict.isAllowed, modelAllows(made, asked), verdict.code ?? 'allowed')
        assert.equal(verdict.isAllowed, verdict.code === undefined)
        const verifier = createVerifier()
        assert.deepEqual(verifier.verify(made.chain, asked), verdict)
        assert.deepEqual(verifier.verify(made.chain, asked), verdict)
        seen[verdict.isAllowed ? 'allowed' : 'refused']++
        if (verdict.isAllowed) assert.ok(made.chain.every((token) => allowsAlone(token, asked)))
      }
    })
    fc.assert(property, { numRuns: 500 })
    assert.ok(seen.allowed > 30, `${seen.allowed} allowed`)
  })

  it('the first link of another issuer, another epoch, any link revoked: nothing is allowed', () => {
    let allowed = 0
    const property = fc.property(descriptions, accesses, fc.nat(), (described, access, which) => {
      const { chain } = makeChain(described, true)
      const asked = fittingAccess(chain.at(-1), access)
      if (!verifyChain(chain, asked).isAllowed) return
      allowed++
      const cid = chain[which % chain.length]?.cid
      const codes: (CapabilityErrorCode | undefined)[] = [
        verifyChain(chain, { ...asked, isRevoked: (one) => one === cid }).code,
        verifyChain(chain, { ...asked, epoch: asked.epoch + 1 }).code,
        verifyChain(chain, { ...asked, root: keyOf(3).did }).code,
        verifyChain(chain, { ...asked, ceiling: [] }).code
      ]
      assert.deepEqual(codes, ['ERR_TOKEN_REVOKED', 'ERR_TOKEN_EPOCH', 'ERR_TOKEN_ROOT', 'ERR_TOKEN_CEILING'])
    })
    fc.assert(property, { numRuns: 1_000 })
    assert.ok(allowed > 50, `${allowed} allowed`)
  })

  it('what can be derived only narrows, and all that only narrows can be derived', () => {
    const property = fc.property(
      links,
      links,
      fc.array(accesses, { maxLength: 8 }),
      (first, second, asked) => {
        const parent = issueToken(DEVICE, fieldsOf(first), random)
        const fields = { ...fieldsOf(second), parent }
        const bounds = { ...fields, epoch: fields.epoch }
        const isNarrower =
          Object.keys(narrowed(parent, { ...bounds, epoch: parent.epoch })).join() === 'epoch'
        const child = deriveOrCode(first.audience, fields)
        if (typeof child === 'string') {
          assert.equal(child, 'ERR_TOKEN_WIDER')
          // A bound that is left out is taken over, so it is not what was wider.
          const inherited = { notBeforeMs: second.notBeforeMs, usesMax: second.usesMax }
          assert.ok(
            !isNarrower || fields.epoch !== parent.epoch || Object.values(inherited).includes(undefined)
          )
          return
        }
        for (const access of asked) {
          const about = { ...access, subject: parent.subject }
          if (allowsAlone(child, about)) assert.ok(allowsAlone(parent, about))
        }
        assert.ok((child.usesMax ?? Infinity) <= (parent.usesMax ?? Infinity))
      }
    )
    fc.assert(property, { numRuns: 2_000 })
  })

  it('what is issued decodes to the same, byte for byte', () => {
    const property = fc.property(links, keys, (link, issuer) => {
      const token = issueToken(issuer, fieldsOf(link), random)
      assert.deepEqual(decodeToken(token.bytes), token)
      assert.deepEqual(decodeToken(token.bytes).bytes, token.bytes)
      assert.deepEqual(decodeToken(token.bytes).nonce, token.nonce)
    })
    fc.assert(property, { numRuns: 500 })
  })
})

function fieldsOf({ audience, notBeforeMs, usesMax, wrong: _wrong, ...rest }: Link): TokenFields {
  return {
    ...rest,
    audience: audience.did,
    ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    ...(usesMax === undefined ? {} : { usesMax })
  }
}

function deriveOrCode(issuer: KeyPair, fields: TokenFields): Token | string {
  try {
    return issueToken(issuer, fields, random)
  } catch (thrown) {
    return (thrown as { code: string }).code
  }
}
