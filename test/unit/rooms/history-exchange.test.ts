import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { Did } from '#did'
import { HISTORY_ANSWER_BYTES_MAX, HISTORY_REQUEST_BYTES_MAX } from '../../../rooms/constants.ts'
import {
  decodeHistoryAnswer,
  decodeHistoryRequest,
  encodeHistoryAnswer,
  encodeHistoryRequest
} from '../../../rooms/history-exchange.ts'
import type { Hole } from '../../../rooms/order.ts'

interface RequestVector {
  readonly kind: 'request'
  readonly comment: string
  readonly topic: string
  readonly presence: string
  readonly marks: readonly (readonly [Did, number, readonly Hole[]])[]
  readonly bytes: string
}

interface AnswerVector {
  readonly kind: 'answer'
  readonly comment: string
  readonly messages: readonly string[]
  readonly hasMore: boolean
  readonly bytes: string
}

interface InvalidVector {
  readonly comment: string
  readonly kind: 'request' | 'answer'
  readonly code: string
  readonly bytes: string
}

async function readVectors<T>(name: string): Promise<T[]> {
  const url = new URL(`../../vectors/room-history/${name}.json`, import.meta.url)
  return JSON.parse(await readFile(url, 'utf8')) as T[]
}

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const valid = await readVectors<RequestVector | AnswerVector>('valid')
const invalid = await readVectors<InvalidVector>('invalid')

describe('the history exchange', () => {
  for (const vector of valid) {
    it(`is written and read: ${vector.comment}`, () => {
      const bytes = fromHex(vector.bytes)
      if (vector.kind === 'answer') {
        const answer = { messages: vector.messages.map(fromHex), hasMore: vector.hasMore }
        assert.deepEqual(encodeHistoryAnswer(answer), bytes)
        assert.deepEqual(decodeHistoryAnswer(bytes), answer)
        return
      }
      const marks = new Map(vector.marks.map(([device, high, holes]) => [device, { high, holes }]))
      const request = { topic: vector.topic, presence: fromHex(vector.presence), marks }
      assert.deepEqual(encodeHistoryRequest(request), bytes)
      assert.deepEqual(decodeHistoryRequest(bytes), request)
    })
  }

  for (const { comment, kind, code, bytes } of invalid) {
    it(`is refused: ${kind}, ${comment}`, () => {
      const decode = kind === 'request' ? decodeHistoryRequest : decodeHistoryAnswer
      assert.throws(() => decode(fromHex(bytes)), { code })
    })
  }

  it('is not parsed when it is too large', () => {
    const code = 'ERR_MESSAGE_TOO_LARGE'
    assert.throws(() => decodeHistoryRequest(new Uint8Array(HISTORY_REQUEST_BYTES_MAX + 1)), { code })
    assert.throws(() => decodeHistoryAnswer(new Uint8Array(HISTORY_ANSWER_BYTES_MAX + 1)), { code })
  })

  it('tells of too many devices those that spoke last', () => {
    const marks = new Map(
      Array.from({ length: 2_000 }, (_, index) => [`did:key:z${index}` as Did, { high: index, holes: [] }])
    )
    const bytes = encodeHistoryRequest({ topic: 'x', presence: new Uint8Array(0), marks })
    assert.ok(bytes.length <= HISTORY_REQUEST_BYTES_MAX)
    const told = decodeHistoryRequest(bytes).marks
    assert.ok(told.has('did:key:z1999') && !told.has('did:key:z0'))
  })
})
