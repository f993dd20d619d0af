import assert from 'node:assert/strict'
import { compareVersions } from '../../../../capsule-host/lifecycle/version-order.ts'

describe('the order of versions', () => {
  // https://semver.org/#spec-item-11
  const ordered = [
    ...['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11'],
    ...['1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0', '18446744073709551616.0.0']
  ]
  it('is that of the specification', () => {
    for (const [left, a] of ordered.entries()) {
      for (const [right, b] of ordered.entries()) {
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(left - right), `${a} and ${b}`)
      }
    }
  })

  it('leaves builds out', () => {
    assert.equal(compareVersions('1.0.0+a', '1.0.0+b-c.1'), 0)
  })
})
