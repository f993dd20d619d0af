import assert from 'node:assert/strict'
import { createAddressLimiter, type AddressLimits } from '#bootstrap'
import { addressGroup } from '../../../bootstrap/address-limiter.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const LIMITS: AddressLimits = { connectionsMax: 3, burstMax: 5, perSecond: 1, addressesMax: 100 }

describe('the limit of connections by address', () => {
  it('allows a burst, then so many a second', async () => {
    const clock = createVirtualClock()
    const limiter = createAddressLimiter(clock, LIMITS)
    const burst = Array.from({ length: 7 }, () => limiter.allow('192.0.2.1', []))
    assert.deepEqual(burst, [true, true, true, true, true, false, false])
    assert.ok(limiter.allow('192.0.2.2', []), 'another address has its own')
    await clock.advance(1000)
    assert.deepEqual([limiter.allow('192.0.2.1', []), limiter.allow('192.0.2.1', [])], [true, false])
    await clock.advance(3_600_000)
    const later = Array.from({ length: 6 }, () => limiter.allow('192.0.2.1', []))
    assert.deepEqual(later, [true, true, true, true, true, false], 'what is not used does not pile up')
  })

  it('allows so many at once, whatever their form, and counts no refused one', () => {
    const limiter = createAddressLimiter(createVirtualClock(), LIMITS)
    const open = ['/ip4/192.0.2.1/tcp/1', '::ffff:192.0.2.1', '192.0.2.1', '192.0.2.9']
    for (let i = 0; i < 20; i++) assert.equal(limiter.allow('192.0.2.1', open), false)
    assert.ok(limiter.allow('192.0.2.1', open.slice(1)))
  })

  it('counts an IPv6 customer once', () => {
    const limiter = createAddressLimiter(createVirtualClock(), LIMITS)
    const allowed = Array.from({ length: 20 }, (_, i) => limiter.allow(`2001:db8:1:2::${i.toString(16)}`, []))
    assert.equal(allowed.filter(Boolean).length, 5)
    assert.ok(limiter.allow('2001:db8:1:3::1', []))
  })

  it('does not limit this device itself', () => {
    const limiter = createAddressLimiter(createVirtualClock(), LIMITS)
    for (const address of [
      '127.0.0.1',
      '/ip4/127.0.0.1/tcp/5',
      '::1',
      '/ip6/::1/tcp/1',
      '::ffff:127.0.0.1',
      '/memory/1'
    ]) {
      for (let i = 0; i < 20; i++)
        assert.ok(limiter.allow(address, Array<string>(100).fill(address)), address)
    }
  })

  it('remembers only so many addresses, the latest', () => {
    const limiter = createAddressLimiter(createVirtualClock(), LIMITS)
    for (let i = 0; i < 5; i++) limiter.allow('192.0.2.1', [])
    assert.equal(limiter.allow('192.0.2.1', []), false)
    for (let i = 0; i < 99; i++) limiter.allow(`198.51.100.${i}`, [])
    assert.equal(limiter.allow('192.0.2.1', []), false)
    for (let i = 0; i < 100; i++) limiter.allow(`198.51.100.${i}`, [])
    assert.equal(limiter.allow('192.0.2.1', []), true)
  })

  it('groups addresses', () => {
    const groups: [string, string | undefined][] = [
      ['203.0.113.7', '203.0.113.7'],
      ['/ip4/203.0.113.7/tcp/4001/ws', '203.0.113.7'],
      ['::ffff:203.0.113.7', '203.0.113.7'],
      ['::ffff:cb00:7107', '203.0.113.7'],
      ['/ip6/2001:db8::1/tcp/1', '2001:db8:0:0::/64'],
      ['2001:DB8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
      ['/ip6zone/eth0/ip6/fe80::1/tcp/1', 'fe80:0:0:0::/64'],
      ['::', '0:0:0:0::/64'],
      ['::1', undefined],
      ['127.255.0.1', undefined],
      ['/dns4/example.org/tcp/1', undefined],
      ['', undefined],
      ['1::2::3', undefined],
      ['1:2:3', undefined]
    ]
    for (const [address, group] of groups) assert.equal(addressGroup(address), group, address)
  })
})
