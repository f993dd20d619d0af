import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  decodeFileRequest,
  encodeFileRequest,
  FILE_STATUSES,
  type FileRequest
} from '../../../capsule-host/guest/file-messages.ts'
import { FileMessageError } from '../../../capsule-host/guest/message-codec.ts'

interface Vector {
  readonly comment: string
  readonly hex: string
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/capsule-files/${name}.json`, import.meta.url), 'utf8'))

/** A question as the vectors have it: bytes as text, long numbers with an n. */
function plain(request: FileRequest): unknown {
  return JSON.parse(
    JSON.stringify(request, (_key, value: unknown) => {
      if (typeof value === 'bigint') return `${value}n`
      return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
    })
  )
}

describe('questions about files', () => {
  for (const { comment, hex, request } of read('valid') as (Vector & { request: unknown })[]) {
    it(`are read and written alike: ${comment}`, () => {
      const decoded = decodeFileRequest(Buffer.from(hex, 'hex'))
      assert.deepEqual(plain(decoded), request)
      assert.equal(Buffer.from(encodeFileRequest(decoded)).toString('hex'), hex)
    })
  }

  for (const { comment, hex } of read('invalid') as Vector[]) {
    it(`are refused: ${comment}`, () => {
      assert.throws(() => decodeFileRequest(Buffer.from(hex, 'hex')), FileMessageError)
    })
  }

  it('have a status for each way to fail, which fits its byte', () => {
    assert.equal(new Set(FILE_STATUSES).size, FILE_STATUSES.length)
    assert(FILE_STATUSES.length < 256)
  })
})
