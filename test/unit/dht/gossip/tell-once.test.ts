import assert from 'node:assert/strict'
import { messageIdText } from '../../../../dht/gossip/authors.ts'
import type { GossipInternals } from '../../../../dht/gossip/internals.ts'
import { tellOnce } from '../../../../dht/gossip/tell-once.ts'

const [FIRST, SECOND] = [Uint8Array.of(1), Uint8Array.of(2)]

/** Gossip with streams to some peers, which notes what it has them told. */
function createGossip(): {
  readonly gossip: GossipInternals
  readonly streams: Map<string, object>
  readonly told: [peerId: string, ...ids: number[]][]
  beat(count: number): void
} {
  const streams = new Map<string, object>([
    ['near', {}],
    ['far', {}]
  ])
  const told: [string, ...number[]][] = []
  const onBeat: (() => void)[] = []
  const gossip: Partial<GossipInternals> = {
    streamsOutbound: streams as GossipInternals['streamsOutbound'],
    pushGossip: (peerId, { messageIDs }) => told.push([peerId, ...messageIDs.map(([id = 0]) => id)]),
    forwardMessage: () => undefined,
    addEventListener: (_, listener) => onBeat.push(listener)
  }
  const beat = (count: number): void => {
    for (let done = 0; done < count; done += 1) for (const listener of onBeat) listener()
  }
  return { gossip: gossip as GossipInternals, streams, told, beat }
}

describe('telling peers what we have', () => {
  it('tells each peer once of each message, at whichever heartbeat', () => {
    const { gossip, told, beat } = createGossip()
    tellOnce(gossip)
    gossip.pushGossip('near', { topicID: 'topic', messageIDs: [FIRST] })
    beat(1)
    gossip.pushGossip('near', { topicID: 'topic', messageIDs: [FIRST, SECOND] })
    gossip.pushGossip('far', { topicID: 'topic', messageIDs: [FIRST] })
    beat(8)
    gossip.pushGossip('near', { topicID: 'topic', messageIDs: [SECOND, FIRST] })
    assert.deepEqual(told, [
      ['near', 1],
      ['near', 2],
      ['far', 1]
    ])
  })

  it('tells nobody of what came from there, first or again', () => {
    const { gossip, told } = createGossip()
    const { note } = tellOnce(gossip)
    gossip.forwardMessage(messageIdText(FIRST), { topic: 'topic' }, 'near')
    note('near', messageIdText(SECOND))
    for (const peerId of ['near', 'far'])
      gossip.pushGossip(peerId, { topicID: 'topic', messageIDs: [FIRST, SECOND] })
    assert.deepEqual(told, [['far', 1, 2]])
  })

  it('remembers no more than so many, and tells of the rest again', () => {
    const { gossip, told } = createGossip()
    const { note } = tellOnce(gossip)
    note('near', messageIdText(FIRST))
    for (let count = 0; count < 5_000; count += 1) note('near', `message ${count}`)
    note('near', messageIdText(SECOND))
    gossip.pushGossip('near', { topicID: 'topic', messageIDs: [FIRST, SECOND] })
    assert.deepEqual(told, [['near', 2]])
  })

  it('tells a peer anew whose stream broke, and forgets after a while', () => {
    const { gossip, streams, told, beat } = createGossip()
    tellOnce(gossip)
    const tell = (): void => gossip.pushGossip('near', { topicID: 'topic', messageIDs: [FIRST] })
    tell()
    streams.set('near', {})
    tell()
    tell()
    assert.deepEqual(told, [
      ['near', 1],
      ['near', 1]
    ])
    beat(16)
    tell()
    assert.equal(told.length, 3)
  })
})
