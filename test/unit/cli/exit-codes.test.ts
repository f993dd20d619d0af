import assert from 'node:assert/strict'
import { EXIT, exitCodeOf } from '../../../cli/exit-codes.ts'

describe('exit codes', () => {
  it('tell the kinds of failure apart, and none is success', () => {
    const codes = Object.values(EXIT)
    assert.equal(new Set(codes).size, codes.length)
    assert.ok(codes.every((code) => code > 0 && code < 256))
  })

  for (const [code, expected] of [
    ['ERR_USAGE', 2],
    ['ERR_CONTENT_NO_PROVIDERS', 3],
    ['ERR_CAPSULE_TAMPERED', 4],
    ['ERR_CAPSULE_SIGNER', 4],
    ['ERR_DEADLINE', 5],
    ['ERR_NODE_RUNNING', 6],
    ['ERR_SANDBOX_UNAVAILABLE', 7],
    ['ERR_CANCELLED', 130]
  ] as const) {
    it(`stay what scripts know them as: ${code} is ${expected}`, () => {
      assert.equal(exitCodeOf(code), expected)
    })
  }

  for (const code of ['ERR_UNHEARD_OF', 'ENOENT', '', 'toString', '__proto__']) {
    it(`are 1 for what nobody knows: ${JSON.stringify(code)}`, () => {
      assert.equal(exitCodeOf(code), 1)
    })
  }
})
