import assert from 'node:assert/strict'
import { createInboundAdmission } from '../../../dht/inbound-admission.ts'

const ADDRESS = '/ip4/192.0.2.1/tcp/4101'

describe('the limit per address', () => {
  it('counts a connection once, though it is asked when it arrives and when it speaks', () => {
    let left = 2
    const admission = createInboundAdmission(() => left-- > 0)
    assert.equal(admission.arrived(ADDRESS), true)
    assert.equal(admission.taken(ADDRESS), true)
    assert.equal(left, 1)
  })

  it('counts one that comes by another way, and one at an address that was left', () => {
    let left = 2
    const admission = createInboundAdmission(() => left-- > 0)
    assert.equal(admission.arrived(ADDRESS), true)
    admission.left(ADDRESS)
    assert.equal(admission.taken(ADDRESS), true)
    assert.equal(left, 0)
    assert.equal(admission.taken('/ip4/192.0.2.1/tcp/4102/ws'), false)
    assert.equal(admission.arrived(ADDRESS), false)
  })
})
