import assert from 'node:assert/strict'
import { createJsonLinesDecoder, encodeJsonLine, type JsonLinesDecoder } from '#contracts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const pushAll = (decoder: JsonLinesDecoder, chunks: readonly Uint8Array[]): unknown[] =>
  chunks.flatMap((chunk) => decoder.push(chunk))

describe('lines of JSON', () => {
  const values = [{ a: 1 }, 'zo\u00eb \u{1f600}', [null, true], 0]
  const whole = bytes(values.map(encodeJsonLine).join(''))

  it('come out the same wherever the stream is cut', () => {
    for (let cut = 0; cut <= whole.byteLength; cut++) {
      const chunks = [whole.subarray(0, cut), whole.subarray(cut)]
      assert.deepEqual(pushAll(createJsonLinesDecoder(1024), chunks), values, `cut at ${cut}`)
    }
    const single = Array.from(whole, (byte) => Uint8Array.of(byte))
    assert.deepEqual(pushAll(createJsonLinesDecoder(1024), single), values)
  })

  it('survive a caller that uses its buffer again', () => {
    const decoder = createJsonLinesDecoder(1024)
    const buffer = Buffer.from('"first')
    assert.deepEqual(decoder.push(buffer), [])
    buffer.fill(0x20)
    assert.deepEqual(decoder.push(bytes('"\n')), ['first'])
  })

  it('may be empty, which says nothing', () => {
    assert.deepEqual(createJsonLinesDecoder(8).push(bytes('\n\n1\n\n')), [1])
  })

  it('are as long as the limit and no longer, whole or in pieces', () => {
    assert.deepEqual(createJsonLinesDecoder(4).push(bytes('1234\n')), [1234])
    const tooLong = { code: 'ERR_LINE_TOO_LONG' }
    assert.throws(() => createJsonLinesDecoder(4).push(bytes('12345\n')), tooLong)
    assert.throws(() => pushAll(createJsonLinesDecoder(4), [bytes('123'), bytes('45')]), tooLong)
    assert.throws(() => createJsonLinesDecoder(4).push(bytes('1\n22222')), tooLong)
  })

  for (const line of ['{', 'undefined', '{"a":1}{"b":2}', "{'a':1}"]) {
    it(`are refused when they are not JSON: ${line}`, () => {
      assert.throws(() => createJsonLinesDecoder(64).push(bytes(line + '\n')), { code: 'ERR_LINE_NOT_JSON' })
    })
  }

  it('are refused when they are not UTF-8', () => {
    const line = Uint8Array.of(0x22, 0xff, 0x22, 0x0a)
    assert.throws(() => createJsonLinesDecoder(64).push(line), { code: 'ERR_LINE_NOT_JSON' })
  })
})
