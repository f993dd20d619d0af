import assert from 'node:assert/strict'
import { assertSeedReach } from '#bootstrap'

describe('being a seed', () => {
  it('needs a reach beyond this device, or to be said a trial', () => {
    assert.throws(
      () => {
        assertSeedReach('local', false)
      },
      { code: 'ERR_SEED_REACH_LOCAL', message: /--reach public.*--dev/ }
    )
    assertSeedReach('local', true)
    assertSeedReach('lan', false)
    assertSeedReach('public', false)
  })
})
