import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDid } from '#did'
import { challengeDigest, challengePlaces } from '../../../replication/challenge.ts'
import { openGroup } from '../../../replication/groups.ts'
import {
  decodeAnswer,
  decodeAsk,
  encodeAnswer,
  encodeAsk,
  type ReplicaAnswers
} from '../../../replication/messages.ts'
import { openGoal, openLease, openOffer, setOf } from '../../../replication/records.ts'

type Kind = 'offer' | 'goal' | 'lease' | 'group'
const OPEN: Readonly<Record<Kind, (bytes: Uint8Array) => unknown>> = {
  offer: openOffer,
  goal: openGoal,
  lease: openLease,
  group: openGroup
}

const valid = read('valid.json') as {
  records: { kind: Kind; base64: string; opened: unknown }[]
  sets: { roots: string[]; set: string }[]
  asks: { base64: string }[]
  answers: { kind: keyof ReplicaAnswers; base64: string }[]
  challenges: { nonce: string; holder: string; blocks: string[]; answer: string }[]
  places: { nonce: string; blocks: number; places: number[] }[]
}
const invalid = read('invalid.json') as {
  records: { kind: Kind; why: string; base64: string }[]
  asks: { why: string; base64: string }[]
  answers: { kind: keyof ReplicaAnswers; why: string; base64: string }[]
}

describe('records and messages of replication', () => {
  it('open as the vectors say', () => {
    for (const { kind, base64, opened } of valid.records)
      assert.deepEqual(OPEN[kind](bytesOf(base64)), opened)
    for (const { roots, set } of valid.sets) assert.equal(setOf(roots), set)
  })

  it('have one encoding each', () => {
    for (const { base64 } of valid.asks)
      assert.deepEqual(encodeAsk(decodeAsk(bytesOf(base64))), bytesOf(base64))
    for (const { kind, base64 } of valid.answers) {
      assert.deepEqual(encodeAnswer(decodeAnswer(kind, bytesOf(base64))), bytesOf(base64))
    }
  })

  for (const { kind, why, base64 } of invalid.records) {
    it(`refuse ${kind}: ${why}`, () => {
      assert.throws(() => OPEN[kind](bytesOf(base64)), { code: 'ERR_REPLICA_RECORD_INVALID' })
    })
  }

  for (const { why, base64 } of invalid.asks) {
    it(`refuse an ask: ${why}`, () => {
      assert.throws(() => decodeAsk(bytesOf(base64)), { code: 'ERR_REPLICA_MESSAGE_INVALID' })
    })
  }

  for (const { kind, why, base64 } of invalid.answers) {
    it(`refuse an answer to ${kind}: ${why}`, () => {
      assert.throws(() => decodeAnswer(kind, bytesOf(base64)), { code: 'ERR_REPLICA_MESSAGE_INVALID' })
    })
  }

  it('answer a challenge as the vectors say, and differently for every holder and nonce', () => {
    for (const { nonce, holder, blocks, answer } of valid.challenges) {
      const challenge = { nonce: bytesOf(nonce), holder: parseDid(holder) }
      const bytes = blocks.map(bytesOf)
      assert.deepEqual(challengeDigest(challenge, bytes), bytesOf(answer))
      const [first] = valid.records
      assert.ok(first)
      const other = parseDid((first.opened as { person: string }).person)
      assert.notDeepEqual(challengeDigest({ ...challenge, holder: other }, bytes), bytesOf(answer))
      assert.notDeepEqual(
        challengeDigest({ ...challenge, nonce: new Uint8Array(32) }, bytes),
        bytesOf(answer)
      )
    }
    for (const { nonce, blocks, places } of valid.places) {
      assert.deepEqual(challengePlaces(bytesOf(nonce), blocks), places)
      assert.ok(places.length >= Math.min(32, blocks))
    }
  })
})

function read(name: string): unknown {
  return JSON.parse(
    readFileSync(join(import.meta.dirname, '..', '..', 'vectors', 'replication', name), 'utf8')
  )
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'))
}
