import assert from 'node:assert/strict'
import { messageIdOf, messageIdText } from '../../../../dht/gossip/authors.ts'
import type { GossipInternals } from '../../../../dht/gossip/internals.ts'
import { tellOnce } from '../../../../dht/gossip/tell-once.ts'

const [FIRST, SECOND, UNKNOWN] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]
/** The PeerId of an author, with the key in itself. */
const AUTHOR = Buffer.concat([Buffer.from('002408011220', 'hex'), Buffer.alloc(32, 7)])
const SEQNO = Buffer.alloc(8, 9)

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
    handleIHave: () => [],
    sendRpc: (peerId) => streams.has(peerId),
    seenCache: { has: (id) => id !== messageIdText(UNKNOWN), put: () => undefined },
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

  it('tells nobody of what that one says is there, when we have it too', () => {
    const { gossip, told } = createGossip()
    tellOnce(gossip)
    gossip.handleIHave('near', [{ messageIDs: [FIRST, UNKNOWN] }, {}])
    gossip.pushGossip('near', { topicID: 'topic', messageIDs: [FIRST, SECOND, UNKNOWN] })
    assert.deepEqual(told, [['near', 2, 3]])
  })

  it('tells nobody of what was sent there, but who was not reached', () => {
    const { gossip, streams, told } = createGossip()
    tellOnce(gossip)
    const message = { from: AUTHOR, seqno: SEQNO, topic: 'topic' }
    const messageIDs = [messageIdOf(AUTHOR, SEQNO)]
    assert.equal(gossip.sendRpc('near', { messages: [message] }), true)
    assert.equal(gossip.sendRpc('gone', { messages: [message] }), false)
    streams.set('gone', {})
    for (const peerId of ['near', 'gone']) gossip.pushGossip(peerId, { topicID: 'topic', messageIDs })
    assert.deepEqual(told, [['gone', messageIDs[0]?.[0]]])
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
