import assert from 'node:assert/strict'
import { createPeerScoreParams, defaultPeerScoreThresholds, PeerScore } from '@libp2p/gossipsub/score'
import type { PeerScoreParams } from '@libp2p/gossipsub/score'
import { defaultLogger } from '@libp2p/logger'
import { gossipOptions, isTopicAllowed } from '../../../dht/pubsub.ts'

/** The score of one of many peers that share one address. */
function scoreOfNeighbour(params: PeerScoreParams, neighbourCount: number): number {
  const score = new PeerScore(params, null, defaultLogger(), { scoreCacheValidityMs: 0 })
  for (let peer = 0; peer < neighbourCount; peer += 1) {
    score.addPeer(`peer ${peer}`)
    score.addIP(`peer ${peer}`, '192.0.2.1')
  }
  return score.score('peer 0')
}

describe('pubsub options', () => {
  it('stock gossipsub: 50 peers behind one address are not listened to; ours: 500 are', () => {
    const ours = createPeerScoreParams(gossipOptions().scoreParams)
    const { graylistThreshold } = defaultPeerScoreThresholds
    assert.ok(scoreOfNeighbour(createPeerScoreParams(), 50) < graylistThreshold)
    assert.equal(scoreOfNeighbour(ours, 50), 0)
    assert.equal(scoreOfNeighbour(ours, 500), 0)
    assert.ok(scoreOfNeighbour(ours, 5_000) < graylistThreshold, 'an address full of peers still counts')
  })

  it('takes topics of ours alone', () => {
    assert.equal(isTopicAllowed('/elastos/room/1/abc'), true)
    assert.equal(isTopicAllowed('/other/room'), false)
    assert.equal(isTopicAllowed(`/elastos/${'x'.repeat(300)}`), false)
  })

  it('bounds what a peer may send and make us keep', () => {
    const {
      maxInboundDataLength = Infinity,
      maxTopicBytesPerPeer = Infinity,
      decodeRpcLimits
    } = gossipOptions()
    assert.ok(maxInboundDataLength <= 1_048_576)
    assert.ok(maxTopicBytesPerPeer <= 1_048_576)
    assert.ok(Object.values(decodeRpcLimits ?? {}).every((limit) => limit <= 1_024))
  })
})
