import assert from 'node:assert/strict'
import { isPublicAddress, literalAddress } from '../../../../node/host-powers/addresses.ts'

describe('addresses', () => {
  it('are public only when they are of the public internet', () => {
    for (const address of [
      '1.1.1.1',
      '93.184.215.14',
      '172.15.255.255',
      '172.32.0.1',
      '192.167.1.1',
      '11.0.0.1'
    ]) {
      assert.equal(isPublicAddress(address), true, address)
    }
    for (const address of ['2606:4700:4700::1111', '2a00:1450:4001:82a::200e', '2400:cb00::1']) {
      assert.equal(isPublicAddress(address), true, address)
    }
  })

  it('are refused when they are of this machine, its network, a cloud behind it, or no address', () => {
    const refused = [
      ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254'],
      ...['169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.192', '192.168.1.1', '198.18.0.1'],
      ...['224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', '168.63.129.16', '100.100.100.200'],
      ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '::ffff:127.0.0.1'],
      ...[
        '::ffff:8.8.8.8',
        '64:ff9b::7f00:1',
        '64:ff9b::a00:1',
        '2002:7f00:1::',
        '2001::1',
        '2001:db8::1',
        '3fff::1'
      ],
      ...['', 'localhost', '1.1.1', '1.1.1.1.1', '0x7f000001', '2130706433', '[::1]', '1.1.1.1 ']
    ]
    for (const address of refused) assert.equal(isPublicAddress(address), false, address)
  })

  it('in a URL are told from names, however they are written there', () => {
    for (const [url, address] of [
      ['http://127.0.0.1/', '127.0.0.1'],
      ['http://0x7f.1/', '127.0.0.1'],
      ['http://2130706433/', '127.0.0.1'],
      ['http://[::1]:80/', '::1'],
      ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1']
    ] as const) {
      assert.equal(literalAddress(new URL(url).hostname), address)
    }
    assert.equal(literalAddress(new URL('http://localhost/').hostname), undefined)
  })
})
