import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { addressKind, adviseReach, mayAccept, mayAnnounce, mayDial, mayRoute, planListen } from '#dht'
import type { AddressKind, InterfaceAddress, Reach } from '#dht'

const KINDS: readonly (readonly [string, AddressKind])[] = [
  ['/ip4/127.0.0.1/tcp/1', 'loopback'],
  ['/ip4/127.9.9.9/tcp/1/ws', 'loopback'],
  ['/ip6/::1/tcp/1', 'loopback'],
  ['/ip4/10.1.2.3/tcp/1', 'private'],
  ['/ip4/172.16.0.1/tcp/1', 'private'],
  ['/ip4/172.32.0.1/tcp/1', 'public'],
  ['/ip4/192.168.1.1/tcp/1', 'private'],
  ['/ip4/100.64.0.1/tcp/1', 'private'],
  ['/ip6/fd00::1/tcp/1', 'private'],
  ['/ip4/8.8.8.8/tcp/1', 'public'],
  ['/ip6/2606:4700::1/tcp/1', 'public'],
  ['/ip6/::ffff:10.0.0.1/tcp/1', 'private'],
  ['/ip6/::ffff:127.0.0.1/tcp/1', 'loopback'],
  ['/ip4/0.0.0.0/tcp/1', 'any'],
  ['/ip6/::/tcp/1', 'any'],
  ['/ip4/169.254.169.254/tcp/80', 'link'],
  ['/ip4/224.0.0.251/tcp/1', 'link'],
  ['/ip4/255.255.255.255/tcp/1', 'link'],
  ['/ip4/203.0.113.7/tcp/1', 'link'],
  ['/ip6/fe80::1/tcp/1', 'link'],
  ['/ip6zone/eth0/ip6/fe80::1/tcp/1', 'link'],
  ['/ip6/2001:db8::1/tcp/1', 'link'],
  ['/ip6/ff02::1/tcp/1', 'link'],
  ['/dns4/seed.example.org/tcp/1', 'name'],
  ['/dnsaddr/example.org', 'name'],
  ['/memory/a', 'other'],
  ['/ip4/8.8.8.8/tcp/1/p2p/12D3KooWEnkPAnYW17jZEedp4gyg3kXqNYNkkCZGn9obyxxSMha4/p2p-circuit', 'relay']
]

const INTERFACES: readonly InterfaceAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '192.168.1.20', family: 4 },
  { address: '8.8.4.4', family: 4 },
  { address: '169.254.3.3', family: 4 },
  { address: '::1', family: 6 },
  { address: 'fd12::20', family: 6 },
  { address: 'fe80::20', family: 6 }
]

describe('dht reach', () => {
  for (const [text, kind] of KINDS) {
    it(`knows ${text} as ${kind}`, () => {
      assert.equal(addressKind(multiaddr(text)), kind)
    })
  }

  it('listens on loopback alone by default', () => {
    assert.deepEqual(planListen('local', { port: 1, interfaces: INTERFACES }), ['/ip4/127.0.0.1/tcp/1'])
  })

  it('listens on private addresses, and on no public one, within the local network', () => {
    assert.deepEqual(planListen('lan', { port: 1, interfaces: INTERFACES }), [
      '/ip4/127.0.0.1/tcp/1',
      '/ip4/192.168.1.20/tcp/1',
      '/ip6/fd12::20/tcp/1'
    ])
  })

  it('listens everywhere when public, for WebSockets too when told', () => {
    assert.deepEqual(planListen('public', { port: 1, webSocketPort: 2, interfaces: INTERFACES }), [
      '/ip4/0.0.0.0/tcp/1',
      '/ip4/0.0.0.0/tcp/2/ws',
      '/ip6/::/tcp/1',
      '/ip6/::/tcp/2/ws'
    ])
  })

  it('refuses addresses wider than the reach and names the flag that allows them', () => {
    const plan = (reach: Reach, address: string) => () =>
      planListen(reach, { listen: [address], port: 1, interfaces: INTERFACES })
    const refused = { code: 'ERR_ADDRESS_OUT_OF_REACH', message: /--reach lan or --reach public/ }
    assert.throws(plan('local', '/ip4/0.0.0.0/tcp/1'), refused)
    assert.throws(plan('local', '/ip4/192.168.1.20/tcp/1'), refused)
    assert.throws(plan('lan', '/ip4/8.8.4.4/tcp/1'), {
      code: 'ERR_ADDRESS_OUT_OF_REACH',
      message: /--reach public/
    })
    assert.throws(plan('local', 'nonsense'), { code: 'ERR_ADDRESS_INVALID' })
    assert.deepEqual(plan('lan', '/ip4/0.0.0.0/tcp/1')(), ['/ip4/0.0.0.0/tcp/1'])
    assert.deepEqual(plan('public', '/ip4/8.8.4.4/tcp/1')(), ['/ip4/8.8.4.4/tcp/1'])
  })

  it('announces, accepts and routes no more than the reach', () => {
    const kinds = new Map(KINDS.map(([text, kind]) => [kind, multiaddr(text)]))
    const allowed = (judge: (address: ReturnType<typeof multiaddr>) => boolean): string =>
      [...kinds].flatMap(([kind, address]) => (judge(address) ? [kind] : [])).join(' ')
    assert.equal(
      allowed((address) => mayAnnounce('local', address)),
      'loopback other'
    )
    assert.equal(
      allowed((address) => mayAnnounce('lan', address)),
      'loopback private name other relay'
    )
    assert.equal(
      allowed((address) => mayAnnounce('public', address)),
      'private public name other relay'
    )
    assert.equal(
      allowed((address) => mayAccept('local', address)),
      'loopback other relay'
    )
    assert.equal(
      allowed((address) => mayAccept('lan', address)),
      'loopback private any link name other relay'
    )
    assert.equal(
      allowed((address) => mayRoute('public', address)),
      'public name other relay'
    )
    assert.equal(
      allowed((address) => mayRoute('lan', address)),
      'loopback private public name other relay'
    )
    assert.equal(allowed(mayDial), 'loopback private public name other relay')
  })

  it('says which flag is missing when nobody is reachable', () => {
    const facts = { knownPeerCount: 0, mdns: false, discoverIpfs: false }
    const flags = (reach: Reach, seedCount: number, more: object = {}): string[] =>
      adviseReach({ reach, seedCount, seedsReached: 0, ...facts, ...more }).map(({ flag }) => flag)
    assert.deepEqual(flags('local', 0), [
      '--bootstrap ADDRESS',
      '--reach lan',
      '--discover ipfs',
      '--reach public'
    ])
    assert.deepEqual(flags('public', 1, { mdns: true, discoverIpfs: true }), ['--bootstrap ADDRESS'])
    assert.deepEqual(flags('public', 1, { mdns: true, discoverIpfs: true, seedsReached: 1 }), [])
    assert.match(
      adviseReach({ reach: 'local', seedCount: 2, seedsReached: 0, ...facts })[0]?.reason ?? '',
      /none of 2/
    )
  })
})
