import {
  authorizer,
  Biscuit,
  biscuit,
  block,
  KeyPair as BiscuitKeys,
  SignatureAlgorithm
} from '@biscuit-auth/biscuit-wasm'
import { createVerifier, decodeToken, issueToken, verifyChain, type Access, type Token } from '#capability'
import { systemRandom } from '#contracts'
import { createKeyPair, type KeyPair } from '#did'
import { oracleAllows, oracleChain, type OracleLink } from '../test/support/ucanto-oracle.ts'
import type { Benchmark, Measure, Sides } from './harness.ts'

/** How long it takes to say whether a chain of three tokens allows one access. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'capability-cached',
    unit: 'µs',
    better: 'lower',
    baselineName: 'without a memory',
    runs: 10,
    target: { oursMax: 10 },
    open: () => sides({ ours: cached(), baseline: cold() })
  },
  {
    name: 'capability-cold',
    unit: 'µs',
    better: 'lower',
    baselineName: '@ucanto/validator',
    runs: 10,
    target: { oursMax: 500 },
    open: async () => sides({ ours: cold(), baseline: await ucanto() })
  },
  {
    name: 'capability-bytes',
    unit: 'µs',
    better: 'lower',
    baselineName: 'biscuit-wasm',
    runs: 10,
    open: () => sides({ ours: fromBytes(), baseline: biscuits() })
  }
]

const NOW_MS = Date.now()
const HOUR_MS = 3_600_000
const KEYS = Array.from({ length: 4 }, () => createKeyPair(systemRandom))
const RESOURCES = ['localhost://*', 'localhost://notes/*', 'localhost://notes/a.txt']

async function sides(measures: { ours: Measure; baseline: Measure }): Promise<Sides> {
  return await Promise.resolve({ ...measures, [Symbol.asyncDispose]: async () => await Promise.resolve() })
}

/** Microseconds of one of `count` turns. */
function timed(count: number, act: () => boolean | Promise<boolean>): Measure {
  return async () => {
    const startedAt = performance.now()
    for (let turn = 0; turn < count; turn += 1) {
      const allowed = act()
      if (!(typeof allowed === 'boolean' ? allowed : await allowed))
        throw new Error('expected it to be allowed')
    }
    return ((performance.now() - startedAt) * 1000) / count
  }
}

function keyOf(index: number): KeyPair {
  const key = KEYS[index]
  if (key === undefined) throw new RangeError(`expected a key, got none at ${index}`)
  return key
}

function makeChain(): readonly Token[] {
  const fields = { command: 'localhost/read', expiresAtMs: NOW_MS + HOUR_MS, epoch: 0 }
  return RESOURCES.reduce<readonly Token[]>((chain, resource, index) => {
    const parent = chain.at(-1)
    const said = { ...fields, resource, audience: keyOf(index + 1).did }
    return [
      ...chain,
      issueToken(keyOf(index), parent === undefined ? said : { ...said, parent }, systemRandom)
    ]
  }, [])
}

function access(): Access {
  return {
    ...{ root: keyOf(0).did, audience: keyOf(3).did, subject: keyOf(1).did },
    ...{ command: 'localhost/read', resource: 'localhost://notes/a.txt', nowMs: NOW_MS, epoch: 0 },
    ceiling: [{ command: 'localhost/*', resource: 'localhost://*' }],
    isRevoked: () => false
  }
}

function cached(): Measure {
  const [verifier, chain, asked] = [createVerifier(), makeChain(), access()]
  return timed(20_000, () => verifier.verify(chain, asked).isAllowed)
}

function cold(): Measure {
  const [chain, asked] = [makeChain(), access()]
  return timed(200, () => verifyChain(chain, asked).isAllowed)
}

/** As they come from a disk or a peer: each token is decoded first. */
function fromBytes(): Measure {
  const [chain, asked] = [makeChain().map((token) => token.bytes), access()]
  return timed(200, () => verifyChain(chain.map(decodeToken), asked).isAllowed)
}

async function ucanto(): Promise<Measure> {
  const links = RESOURCES.map<OracleLink>((resource, index) => ({
    ...{ issuer: keyOf(index), audience: keyOf(index + 1), command: 'localhost/read', resource },
    ...{ notBeforeS: null, expiresAtS: Math.floor((NOW_MS + HOUR_MS) / 1000) }
  }))
  const asked = {
    root: keyOf(0),
    actor: keyOf(3),
    command: 'localhost/read',
    resource: 'localhost://notes/a.txt'
  }
  const chain = await oracleChain(links, asked)
  return timed(10, async () => await oracleAllows(chain))
}

/** A bearer token of three blocks, parsed, verified and authorised. */
function biscuits(): Measure {
  const keys = new BiscuitKeys(SignatureAlgorithm.Ed25519)
  const token = biscuit`right("localhost/read"); check if time($t), $t < 2100-01-01T00:00:00Z;`
    .build(keys.getPrivateKey())
    .appendBlock(block`check if resource($r), $r.starts_with("localhost://notes/");`)
    .appendBlock(block`check if resource("localhost://notes/a.txt");`)
    .toBase64()
  const limits = { max_facts: 1000, max_iterations: 100, max_time_micro: 200_000 }
  return timed(50, () => {
    const asked = authorizer`time(2026-01-01T00:00:00Z); resource("localhost://notes/a.txt"); allow if right("localhost/read");`
    const policy = asked
      .buildAuthenticated(Biscuit.fromBase64(token, keys.getPublicKey()))
      .authorizeWithLimits(limits)
    return policy === 0
  })
}
