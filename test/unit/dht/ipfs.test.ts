import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromString } from '@libp2p/peer-id'
import { systemClock } from '#contracts'
import { IPFS_BOOTSTRAP_PEERS } from '#dht'
import { peerIdFromDid } from '#did'
import { dhtOptions } from '../../../dht/dht-service.ts'
import { ipfsDhtOptions } from '../../../dht/ipfs.ts'
import { parseStartingPeer } from '../../../dht/joiner.ts'
import { numberedKey } from '../../support/memory-names.ts'

describe('dht/ipfs', () => {
  it('is a client that shares neither protocol, nor records, logs or metrics with our DHT', () => {
    const ours = dhtOptions({ reach: 'public', clientMode: false, clock: systemClock })
    for (const mode of ['wan', 'lan'] as const) {
      const theirs = ipfsDhtOptions({ mode, clock: systemClock })
      assert.equal(theirs.clientMode, true)
      for (const field of ['protocol', 'datastorePrefix', 'logPrefix', 'metricsPrefix'] as const) {
        assert.ok(theirs[field])
        assert.notEqual(theirs[field], ours[field])
      }
      // one prefix must not contain the other, or a query for one would find records of both
      assert.equal(ours.datastorePrefix?.startsWith(theirs.datastorePrefix ?? ''), false)
      assert.equal(theirs.datastorePrefix?.startsWith(ours.datastorePrefix ?? ''), false)
    }
  })

  it('keeps private addresses out of the public DHT and public ones out of the local one', () => {
    const id = peerIdFromString(peerIdFromDid(numberedKey(1).did))
    const addresses = ['/ip4/192.168.1.7/tcp/4001', '/ip4/127.0.0.1/tcp/4001', '/ip4/8.8.4.4/tcp/4001']
    const kept = (mode: 'wan' | 'lan'): string[] => {
      const { peerInfoMapper } = ipfsDhtOptions({ mode, clock: systemClock })
      return (
        peerInfoMapper?.({ id, multiaddrs: addresses.map((text) => multiaddr(text)) }).multiaddrs.map(
          String
        ) ?? []
      )
    }
    assert.deepEqual(kept('wan'), addresses.slice(2))
    assert.deepEqual(kept('lan'), addresses.slice(0, 2))
  })

  it('knows public bootstrap peers that can be parsed', () => {
    const peers = IPFS_BOOTSTRAP_PEERS.map(parseStartingPeer)
    assert.equal(new Set(peers.map(({ peerId }) => peerId)).size, IPFS_BOOTSTRAP_PEERS.length)
  })
})
