import assert from 'node:assert/strict'
import { rateOption } from '../../../cli/input.ts'

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
