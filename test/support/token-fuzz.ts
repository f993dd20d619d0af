import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CapabilityError, decodeToken, TOKEN_BYTES_MAX, verifyChain, type Token } from '#capability'
import { encodeCanonical } from '#did'
import invalid from '../vectors/capability-token/invalid.json' with { type: 'json' }
import valid from '../vectors/capability-token/valid.json' with { type: 'json' }
import { rawClaims } from './raw-token.ts'

/** What every mutant is made from: the vectors, so that each one that is added is fuzzed too. */
const CORPUS: readonly Uint8Array[] = [...valid, ...invalid].map(({ token }) => Buffer.from(token, 'hex'))
const GENUINE: ReadonlySet<string> = new Set(valid.map(({ token }) => token))

// Heads that decoders stumble over: long and indefinite lengths, tags, floats, simple values, huge integers, keys.
const WORDS: readonly Uint8Array[] = [
  ...[
    '9f',
    'bf',
    '5f',
    '7f',
    'ff',
    'f6',
    'f7',
    'f5',
    'fb3ff0000000000000',
    'f97e00',
    '1bffffffffffffffff',
    'd82a',
    'd9d9f7'
  ],
  ...[
    '1800',
    '190000',
    '3b7fffffffffffffff',
    '9b00000000ffffffff',
    '5affffffff',
    '7b7fffffffffffffff',
    'a0',
    '80',
    '40',
    '60'
  ],
  ...[
    '63737562',
    '636d6178',
    '63707266',
    '636e6266',
    '6365786ff6',
    '2f2a',
    '2f2e2e2f',
    '25326532',
    'e280ae',
    'eda080'
  ]
].map((hex) => Buffer.from(hex, 'hex'))

const mutations = fc.oneof(
  fc.record({ at: fc.nat(), flip: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ at: fc.nat(), remove: fc.nat(40), insert: fc.uint8Array({ maxLength: 6 }) }),
  fc.record({ at: fc.nat(), remove: fc.nat(4), word: fc.constantFrom(...WORDS) }),
  fc.record({ at: fc.nat(), length: fc.nat(80), to: fc.nat() }),
  fc.record({ at: fc.nat(), other: fc.nat(CORPUS.length - 1) })
)
type Mutation = typeof mutations extends fc.Arbitrary<infer M> ? M : never

/** Bytes that once were a token, or nearly. */
export const tokenMutants: fc.Arbitrary<Uint8Array> = fc
  .tuple(fc.nat(CORPUS.length - 1), fc.array(mutations, { minLength: 1, maxLength: 4 }))
  .map(([index, changes]) => changes.reduce<Uint8Array>(mutate, CORPUS[index] ?? new Uint8Array()))

function mutate(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const at = mutation.at % (bytes.length + 1)
  if ('flip' in mutation) return at < bytes.length ? bytes.with(at, (bytes[at] ?? 0) ^ mutation.flip) : bytes
  if ('other' in mutation)
    return Buffer.concat([bytes.subarray(0, at), CORPUS[mutation.other]?.subarray(at) ?? bytes])
  if ('to' in mutation) {
    const to = mutation.to % (bytes.length + 1)
    return Buffer.concat([
      bytes.subarray(0, to),
      bytes.subarray(at, at + mutation.length),
      bytes.subarray(to)
    ])
  }
  const insert = 'word' in mutation ? mutation.word : mutation.insert
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + mutation.remove)])
}

/**
 * What must hold of any bytes: they are refused with an error of this folder, or they are the one encoding of a token
 * with its bounds kept, and then nobody's signature is on it unless it is one of the genuine ones.
 */
export function checkTokenBytes(bytes: Uint8Array): 'decoded' | 'refused' {
  let token: Token
  try {
    token = decodeToken(bytes)
  } catch (thrown) {
    assert.ok(thrown instanceof CapabilityError, String(thrown))
    return 'refused'
  }
  const hex = Buffer.from(bytes).toString('hex')
  assert.ok(bytes.length <= TOKEN_BYTES_MAX)
  assert.deepEqual(Buffer.from(token.bytes).toString('hex'), hex)
  const again = encodeCanonical([1, rawClaims(token.issuer, token), token.bytes.subarray(-64)])
  assert.equal(Buffer.from(again).toString('hex'), hex, 'one token, one encoding')
  const { issuer: root, audience, subject } = token
  const where = { root, audience, subject, command: 'localhost/read', resource: 'localhost://a', nowMs: 0 }
  const access = { ...where, epoch: token.epoch, ceiling: [], isRevoked: () => false }
  const { code, checks } = verifyChain([token], access)
  const isSigned = checks.some(({ name, isOk }) => name === 'signature' && isOk)
  assert.equal(isSigned, GENUINE.has(hex), `${code ?? 'allowed'}: ${hex}`)
  return 'decoded'
}
