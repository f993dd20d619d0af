import assert from 'node:assert/strict'
import { restBeats, type Beating } from '../../../../dht/gossip/rest-beats.ts'

/** Gossip that counts its whole heartbeats, and what it says of them. */
function createGossip(): {
  gossip: Beating
  topics: Set<string>
  beats: () => [whole: number, told: number]
} {
  const topics = new Set<string>()
  let [whole, told] = [0, 0]
  const gossip: Beating = {
    subscriptions: topics,
    fanout: new Map(),
    heartbeatTicks: 0,
    heartbeat: async () => {
      whole += 1
      gossip.heartbeatTicks += 1
      gossip.dispatchEvent(new CustomEvent('gossipsub:heartbeat'))
      await Promise.resolve()
    },
    dispatchEvent: ({ type }) => {
      assert.equal(type, 'gossipsub:heartbeat')
      told += 1
      return true
    }
  }
  restBeats(gossip)
  return { gossip, topics, beats: () => [whole, told] }
}

describe('dht/gossip/rest-beats', () => {
  it('leaves out most heartbeats of who is in no topic, and counts and tells of them all', async () => {
    const { gossip, beats } = createGossip()
    for (let beat = 0; beat < 16; beat++) await gossip.heartbeat()
    assert.deepEqual(beats(), [2, 16])
    assert.equal(gossip.heartbeatTicks, 16)
  })

  it('leaves out none of who is in one', async () => {
    const { gossip, topics, beats } = createGossip()
    topics.add('topic')
    for (let beat = 0; beat < 16; beat++) await gossip.heartbeat()
    assert.deepEqual(beats(), [16, 16])
  })
})
