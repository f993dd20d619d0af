import assert from 'node:assert/strict'
import { parseDuration } from '#contracts'

describe('a duration in words', () => {
  it('is a number and its unit', () => {
    for (const [text, ms] of [
      ['250ms', 250],
      ['90s', 90_000],
      ['10m', 600_000],
      ['1.5h', 5_400_000],
      ['3d', 259_200_000],
      ['0s', 0]
    ] as const) {
      assert.equal(parseDuration(text), ms)
    }
  })

  it('is nothing else', () => {
    for (const text of ['', '10', 's', '-1s', '1 h', '1h ', '1w', '1e3s', '1.2345s', '9999999999s', 'NaNs']) {
      assert.equal(parseDuration(text), undefined, text)
    }
  })
})
