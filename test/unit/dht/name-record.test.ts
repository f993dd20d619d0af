import assert from 'node:assert/strict'
import { createIPNSRecordWithExpiration, marshalIPNSRecord } from 'ipns'
import { ipnsSelector } from 'ipns/selector'
import { ipnsValidator } from 'ipns/validator'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { ipnsNameFromDid } from '#did'
import {
  compareNameRecords,
  didFromNameKey,
  isNewer,
  nameKey,
  openNameRecord,
  parseName,
  sealNameRecord,
  selectNameRecord,
  verifyNameRecord
} from '../../../dht/name-record.ts'
import { DhtError } from '../../../dht/errors.ts'
import { createRecordRules } from '../../../dht/name-rules.ts'
import { cidOf, numberedKey } from '../../support/memory-names.ts'

const HOUR_MS = 3_600_000
const alice = numberedKey(1)
const mallory = numberedKey(2)

describe('dht/name-record', () => {
  it('signs records that another IPNS implementation accepts', async () => {
    const validUntilMs = Date.now() + HOUR_MS
    const record = await sealNameRecord(alice, { value: await cidOf('a'), sequence: 7n, validUntilMs })
    await ipnsValidator(nameKey(alice.did), record.bytes)
    const opened = openNameRecord(alice.did, record.bytes, Date.now())
    assert.equal(opened.value.toString(), (await cidOf('a')).toString())
    assert.equal(opened.sequence, 7n)
    assert.equal(opened.validUntilMs, validUntilMs)
  })

  it('says in a record when it was signed, and another IPNS implementation accepts that', async () => {
    const signedAtMs = Date.now()
    const validUntilMs = signedAtMs + HOUR_MS
    for (const sequence of [7n, 2n ** 64n - 1n]) {
      const init = { value: await cidOf('a'), sequence, validUntilMs, signedAtMs }
      const record = await sealNameRecord(alice, init)
      await ipnsValidator(nameKey(alice.did), record.bytes)
      const opened = openNameRecord(alice.did, record.bytes, Date.now())
      assert.deepEqual([opened.sequence, opened.signedAtMs], [sequence, signedAtMs])
    }
    const silent = await sealNameRecord(alice, { value: await cidOf('a'), sequence: 7n, validUntilMs })
    assert.equal(silent.signedAtMs, undefined)
  })

  it('accepts records of another IPNS implementation, with and without the legacy signature', async () => {
    const privateKey = privateKeyFromRaw(Buffer.concat([alice.seed, alice.publicKey]))
    const expiry = '2031-01-02T03:04:05.123456789Z'
    const path = `/ipfs/${(await cidOf('b')).toString()}`
    for (const v1Compatible of [true, false]) {
      const record = await createIPNSRecordWithExpiration(privateKey, path, 3, expiry, {
        v1Compatible
      } as { v1Compatible: true })
      const opened = verifyNameRecord(alice.did, marshalIPNSRecord(record))
      assert.equal(opened.value.toString(), (await cidOf('b')).toString())
      assert.equal(opened.sequence, 3n)
      assert.equal(opened.validUntilMs, Date.parse('2031-01-02T03:04:05.123Z'))
    }
  })

  it('refuses expired, foreign, oversized and malformed records, each with its code', async () => {
    const init = { value: await cidOf('a'), sequence: 1n, validUntilMs: 10_000 }
    const record = await sealNameRecord(alice, init)
    const foreign = await sealNameRecord(mallory, init)
    const flipped = Uint8Array.from(record.bytes)
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
    const cases: [Uint8Array, string][] = [
      [record.bytes, 'ERR_NAME_EXPIRED'],
      [foreign.bytes, 'ERR_NAME_SIGNER'],
      [new Uint8Array(10 * 1024 + 1), 'ERR_NAME_TOO_LARGE'],
      [new Uint8Array(0), 'ERR_NAME_INVALID'],
      [Uint8Array.of(1, 2, 3), 'ERR_NAME_INVALID']
    ]
    for (const [bytes, code] of cases) assert.throws(() => openNameRecord(alice.did, bytes, 10_000), { code })
    assert.throws(() => openNameRecord(alice.did, flipped, 0), DhtError)
    assert.equal(openNameRecord(alice.did, record.bytes, 9_999).sequence, 1n)
  })

  it('refuses a name that points to anything but a CID', async () => {
    const privateKey = privateKeyFromRaw(Buffer.concat([alice.seed, alice.publicKey]))
    const cid = (await cidOf('a')).toString()
    for (const value of [
      `/ipfs/${cid}/index.html`,
      `/ipns/${ipnsNameFromDid(mallory.did)}`,
      '/ipfs/nonsense'
    ]) {
      const record = await createIPNSRecordWithExpiration(privateKey, value, 1, '2031-01-01T00:00:00Z')
      assert.throws(() => verifyNameRecord(alice.did, marshalIPNSRecord(record)), {
        code: 'ERR_NAME_INVALID'
      })
    }
  })

  it('prefers the higher sequence, then the longer validity, as other implementations do', async () => {
    const value = await cidOf('a')
    const old = await sealNameRecord(alice, { value, sequence: 9n, validUntilMs: 9_000_000 })
    const longer = await sealNameRecord(alice, { value, sequence: 9n, validUntilMs: 9_000_001 })
    const next = await sealNameRecord(alice, { value, sequence: 10n, validUntilMs: 1 })
    const sorted = [next, old, longer].map(({ bytes }) => bytes).sort(compareNameRecords)
    assert.deepEqual(sorted, [old.bytes, longer.bytes, next.bytes])
    assert.equal(selectNameRecord([old.bytes, next.bytes, longer.bytes]), 1)
    assert.equal(ipnsSelector(nameKey(alice.did), [old.bytes, next.bytes, longer.bytes]), 1)
    assert.equal(isNewer(old.bytes, old.bytes), false)
    assert.equal(isNewer(old.bytes, Uint8Array.of(1)), true)
  })

  it('prefers the same of two values under one sequence, whatever their order', async () => {
    const init = { sequence: 4n, validUntilMs: 9_000_000 }
    const a = await sealNameRecord(alice, { ...init, value: await cidOf('a') })
    const b = await sealNameRecord(alice, { ...init, value: await cidOf('b') })
    assert.notEqual(isNewer(a.bytes, b.bytes), isNewer(b.bytes, a.bytes))
  })

  it('finds the did of a routing key and of every spelling of a name', () => {
    const name = ipnsNameFromDid(alice.did)
    assert.equal(didFromNameKey(nameKey(alice.did)), alice.did)
    for (const text of [alice.did, name, `/ipns/${name}`]) assert.equal(parseName(text), alice.did)
    assert.throws(() => parseName('/ipfs/k51'), { code: 'ERR_IPNS_NAME_INVALID' })
    for (const key of ['/ipns/', '/pk/abc', '', '/ipns/\u0000\u0024']) {
      assert.throws(() => didFromNameKey(new TextEncoder().encode(key)), { code: 'ERR_NAME_INVALID' })
    }
  })

  it('gives kad-dht rules that refuse bad records, and all of /pk/', async () => {
    const { validators, selectors } = createRecordRules({ nowMs: () => 5_000 })
    const good = await sealNameRecord(alice, { value: await cidOf('a'), sequence: 1n, validUntilMs: 6_000 })
    await validators['ipns']?.(nameKey(alice.did), good.bytes)
    assert.throws(() => validators['ipns']?.(nameKey(mallory.did), good.bytes), {
      code: 'ERR_NAME_SIGNER'
    })
    assert.throws(() => validators['pk']?.(new TextEncoder().encode('/pk/x'), good.bytes), {
      code: 'ERR_NAME_INVALID'
    })
    assert.equal(selectors['ipns']?.(nameKey(alice.did), [Uint8Array.of(1), good.bytes]), 1)
  })
})
