import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { keyPairFromSeed, parseDid } from '#did'
import { headOf, openIndex, sealIndex, withHead } from '../../../dht/index-block.ts'
import type { IndexContent } from '../../../dht/index-block.ts'
import { openNameRecord, sealNameRecord, verifyNameRecord } from '../../../dht/name-record.ts'

interface Vector {
  readonly comment: string
  readonly code: string
}

interface IndexVector extends Vector {
  readonly seed: string
  readonly publisher: string
  readonly updatedAtMs: number
  readonly entries: { kind: string; name: string; cid: string; sequence: number; updatedAtMs: number }[]
  readonly cid: string
  readonly block: string
}

interface NameVector extends Vector {
  readonly seed?: string
  readonly did: string
  readonly value: string
  readonly sequence: string
  readonly validUntilMs: number
  readonly nowMs: number
  readonly record: string
}

function vectors(topic: string, file: 'valid' | 'invalid'): unknown {
  const path = join(import.meta.dirname, '..', '..', 'vectors', topic, `${file}.json`)
  return JSON.parse(readFileSync(path, 'utf8'))
}

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

describe('dht vectors: publisher-index', () => {
  for (const vector of vectors('publisher-index', 'valid') as IndexVector[]) {
    it(`seals and opens ${vector.comment}`, () => {
      const content = vector.entries.reduce<IndexContent>(
        (sum, { kind, name, cid, sequence, updatedAtMs }) => {
          return withHead(sum, { kind, name }, { cid: CID.parse(cid), sequence, updatedAtMs })
        },
        {}
      )
      const sealed = sealIndex(keyPairFromSeed(bytesOf(vector.seed)), {
        content,
        updatedAtMs: vector.updatedAtMs
      })
      assert.equal(Buffer.from(sealed.bytes).toString('hex'), vector.block)
      assert.equal(sealed.cid.toString(), vector.cid)
      const opened = openIndex(parseDid(vector.publisher), {
        cid: CID.parse(vector.cid),
        bytes: bytesOf(vector.block)
      })
      for (const { cid, ...entry } of vector.entries) {
        const head = headOf(opened, entry)
        assert.deepEqual(
          [head?.cid.toString(), head?.sequence, head?.updatedAtMs],
          [cid, entry.sequence, entry.updatedAtMs]
        )
      }
    })
  }
  for (const { comment, code, publisher, cid, block } of vectors(
    'publisher-index',
    'invalid'
  ) as IndexVector[]) {
    it(`refuses ${comment}`, () => {
      const open = (): unknown =>
        openIndex(parseDid(publisher), { cid: CID.parse(cid), bytes: bytesOf(block) })
      assert.throws(open, { code })
    })
  }
})

describe('dht vectors: name', () => {
  for (const vector of vectors('name', 'valid') as NameVector[]) {
    it(`seals and opens ${vector.comment}`, async () => {
      const { value, sequence, validUntilMs } = vector
      const opened = verifyNameRecord(parseDid(vector.did), bytesOf(vector.record))
      assert.deepEqual(
        [opened.value.toString(), String(opened.sequence), opened.validUntilMs],
        [value, sequence, validUntilMs]
      )
      if (vector.seed === undefined) return
      const init = { value: CID.parse(value), sequence: BigInt(sequence), validUntilMs }
      const sealed = await sealNameRecord(keyPairFromSeed(bytesOf(vector.seed)), init)
      assert.equal(Buffer.from(sealed.bytes).toString('hex'), vector.record)
    })
  }
  for (const { comment, code, did, nowMs, record } of vectors('name', 'invalid') as NameVector[]) {
    it(`refuses ${comment}`, () => {
      assert.throws(() => openNameRecord(parseDid(did), bytesOf(record), nowMs), { code })
    })
  }
})
