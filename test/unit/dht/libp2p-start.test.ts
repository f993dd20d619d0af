import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { confirmPublicAddresses } from '../../../dht/libp2p-start.ts'

describe('a public seed', () => {
  it('announces its public addresses though nobody has tried them yet', () => {
    const confirmed: string[] = []
    const listening = [
      '/ip4/127.0.0.1/tcp/1',
      '/ip4/8.8.8.8/tcp/1',
      '/ip4/10.0.0.1/tcp/1',
      '/ip6/2606:4700::1/tcp/1'
    ]
    confirmPublicAddresses({
      addressManager: { confirmObservedAddr: (address) => confirmed.push(address.toString()) },
      transportManager: {
        listen: async () => Promise.resolve(),
        getTransports: () => [],
        getListeners: () => listening.map((text) => ({ getAddrs: () => [multiaddr(text)] }))
      }
    })
    assert.deepEqual(confirmed, ['/ip4/8.8.8.8/tcp/1', '/ip6/2606:4700::1/tcp/1'])
  })
})
