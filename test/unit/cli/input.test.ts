import assert from 'node:assert/strict'
import { rangeOption, rateOption } from '../../../cli/input.ts'

const read = (text: string | undefined): number | undefined =>
  rateOption(
    { args: {}, options: text === undefined ? {} : { uploadMax: text } },
    'uploadMax',
    '--upload-max'
  )

describe('an amount a second on the command line', () => {
  it('is taken with any unit of bytes, or off', () => {
    assert.equal(read(undefined), undefined)
    assert.equal(read('off'), 0)
    assert.equal(read('65536'), 65_536)
    assert.equal(read('64KiB'), 65_536)
    assert.equal(read('5MiB'), 5 * 1024 ** 2)
    assert.equal(read('1.5 MiB/s'), 1.5 * 1024 ** 2)
    assert.equal(read('2GB'), 2e9)
  })

  it('is refused when it is none, or too small to work with', () => {
    for (const text of [
      '',
      '5',
      '63KiB',
      '0',
      '-5MiB',
      '5Mbit',
      '5 MiB a second',
      'MiB',
      '1e9',
      'constructor'
    ]) {
      assert.throws(() => read(text), { code: 'ERR_USAGE' }, text)
    }
  })
})

describe('a range of bytes on the command line', () => {
  const range = (text: string): unknown => rangeOption({ args: {}, options: { range: text } }, 'range')

  it('names its first and last byte, or only the first', () => {
    assert.deepEqual(range('0-0'), { offset: 0, length: 1 })
    assert.deepEqual(range('5-1048575'), { offset: 5, length: 1_048_571 })
    assert.deepEqual(range('7-'), { offset: 7, length: Number.MAX_SAFE_INTEGER - 7 })
    assert.equal(rangeOption({ args: {}, options: {} }, 'range'), undefined)
  })

  it('is refused when it is none', () => {
    for (const text of ['', '-', '-5', '9-5', '1', 'a-b', '0-9999999999999999', '1 - 2', '0-1-2'])
      assert.throws(() => range(text), { code: 'ERR_USAGE' }, text)
  })
})
