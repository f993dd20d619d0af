import assert from 'node:assert/strict'
import { createPeerScoreParams, PeerScore } from '@libp2p/gossipsub/score'
import { restScores, type Scores } from '../../../../dht/gossip/rest-scores.ts'

const NOW_MS = 1_000_000
const CALM = { connected: true, expire: 0, behaviourPenalty: 0, topics: {} }
const clock = { nowMs: () => NOW_MS }

/** How often scores are refreshed when one peer is like that, and others are calm. */
function refreshes(stats: object): number {
  let count = 0
  const score = {
    peerStats: new Map([
      ['calm', CALM],
      ['other', { ...CALM, ...stats }]
    ]),
    refreshScores: () => void (count += 1),
    addPenalty: () => undefined
  }
  restScores({ score: score as never }, clock)
  score.refreshScores()
  return count
}

describe('dht/gossip/rest-scores', () => {
  it('leaves those alone that would stay what they are', () => {
    assert.equal(refreshes({}), 0)
    assert.equal(refreshes({ connected: false, expire: NOW_MS }), 0)
    assert.equal(refreshes({ connected: false, expire: NOW_MS + 1, behaviourPenalty: 3 }), 0)
  })

  it('refreshes what fades, is scored by topic, or has been remembered for long enough', () => {
    assert.equal(refreshes({ behaviourPenalty: 0.1 }), 1)
    assert.equal(refreshes({ topics: { '/elastos/room': {} } }), 1)
    assert.equal(refreshes({ connected: false, expire: NOW_MS - 1 }), 1)
  })

  it('looks again after a while for those who are to be forgotten', () => {
    const peerStats = new Map([['gone', { ...CALM, connected: false, expire: NOW_MS }]])
    let nowMs = NOW_MS
    let count = 0
    const score = { peerStats, refreshScores: () => void (count += 1), addPenalty: () => undefined }
    restScores({ score: score as never }, { nowMs: () => nowMs })
    score.refreshScores()
    nowMs += 1
    for (let beat = 0; beat < 9; beat++) score.refreshScores()
    assert.equal(count, 0)
    score.refreshScores()
    assert.equal(count, 1)
  })

  it('finds in gossipsub what it goes by, and a penalty fades as it did', () => {
    const logger = { forComponent: () => Object.assign(() => undefined, { error: () => undefined }) }
    const params = createPeerScoreParams({ decayToZero: 0.1, behaviourPenaltyDecay: 0.5 })
    const score = new PeerScore(params, null, logger as never, { scoreCacheValidityMs: 1 })
    score.addPeer('peer')
    score.addPenalty('peer', 1, 'test' as never)
    const scores = score as unknown as Scores
    restScores({ score: scores as never }, clock)
    scores.refreshScores()
    assert.equal(scores.peerStats.get('peer')?.behaviourPenalty, 0.5)
    for (let beat = 0; beat < 4; beat++) scores.refreshScores()
    assert.equal(scores.peerStats.get('peer')?.behaviourPenalty, 0)
    // nobody looks for a while, unless there is something new
    scores.addPenalty('peer', 1, 'test')
    scores.refreshScores()
    assert.equal(scores.peerStats.get('peer')?.behaviourPenalty, 0.5)
  })
})
