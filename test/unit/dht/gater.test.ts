import assert from 'node:assert/strict'
import type { MultiaddrConnection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { createGater } from '../../../dht/gater.ts'
import type { Reach } from '../../../dht/reach.ts'

const from = (address: string): MultiaddrConnection =>
  ({ remoteAddr: multiaddr(address) }) as MultiaddrConnection

describe('connection gater', () => {
  it('refuses a denied peer at every door', () => {
    const denied = createKeyPair(systemRandom)
    const other = createKeyPair(systemRandom)
    const gater = createGater({ reach: 'public', isDenied: (did) => did === denied.did })
    const judge = (peer: PeerId, friend: PeerId): unknown[] => [
      gater.denyDialPeer?.(peer),
      gater.denyInboundEncryptedConnection?.(peer, from('/ip4/8.8.8.8/tcp/1')),
      gater.denyOutboundEncryptedConnection?.(peer, from('/ip4/8.8.8.8/tcp/1')),
      gater.denyInboundRelayReservation?.(peer),
      gater.denyInboundRelayedConnection?.(friend, peer),
      gater.denyOutboundRelayedConnection?.(peer, friend),
      gater.denyOutboundRelayedConnection?.(friend, peer)
    ]
    const [bad, good] = [denied, other].map(({ did }) => peerIdFromString(peerIdFromDid(did))) as [
      PeerId,
      PeerId
    ]
    assert.deepEqual(
      judge(bad, good),
      Array.from({ length: 7 }, () => true)
    )
    assert.deepEqual(
      judge(good, good),
      Array.from({ length: 7 }, () => false)
    )
  })

  it('takes connections from within the reach only', () => {
    const refused = (reach: Reach, address: string): unknown =>
      createGater({ reach }).denyInboundConnection?.(from(address))
    assert.equal(refused('local', '/ip4/127.0.0.1/tcp/1'), false)
    assert.equal(refused('local', '/ip4/192.168.1.1/tcp/1'), true)
    assert.equal(refused('lan', '/ip4/192.168.1.1/tcp/1'), false)
    assert.equal(refused('lan', '/ip4/8.8.8.8/tcp/1'), true)
    assert.equal(refused('public', '/ip4/8.8.8.8/tcp/1'), false)
  })

  it('neither dials nor remembers addresses that mean nothing beyond one link', () => {
    const gater = createGater({ reach: 'public' })
    const metadata = multiaddr('/ip4/169.254.169.254/tcp/80')
    assert.equal(gater.denyDialMultiaddr?.(metadata), true)
    assert.equal(gater.filterMultiaddrForPeer?.(undefined as never, metadata), false)
    assert.equal(gater.denyDialMultiaddr?.(multiaddr('/ip4/8.8.8.8/tcp/1')), false)
  })
})
