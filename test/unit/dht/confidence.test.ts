import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { systemRandom } from '#contracts'
import { createKeyPair, peerIdFromDid } from '#did'
import { betterOf, createJudge } from '../../../dht/confidence.ts'
import type { Judge } from '../../../dht/confidence.ts'
import { compareDistance, placeOf } from '../../../dht/provide/key-space.ts'
import { peerIdFromString } from '@libp2p/peer-id'

const key = (text: string): Uint8Array =>
  Buffer.concat([Uint8Array.of(0x12, 0x20), createHash('sha256').update(text).digest()])

const peers = Array.from({ length: 400 }, () => {
  const peerId = peerIdFromDid(createKeyPair(systemRandom).did)
  return { peerId, place: placeOf(peerIdFromString(peerId).toMultihash().bytes) }
})

function nearest(among: typeof peers, target: Uint8Array, count = 20): string[] {
  const place = placeOf(target)
  return among
    .toSorted((a, b) => compareDistance(place, a.place, b.place))
    .slice(0, count)
    .map(({ peerId }) => peerId)
}

/** A judge of a network of a few of the peers; the others are an attacker's supply. */
function judgeOf(network: typeof peers): Judge {
  const ownKey = key('self')
  return createJudge(() => ({ ownKey, peerIds: nearest(network, ownKey) }))
}

describe('confidence in answers', () => {
  // most of the supply does not belong to the network: what of it is nearest to a key is what an attacker would choose
  const honest = peers.slice(0, 40)
  const supply = peers.slice(40)
  let judge: Judge

  beforeEach(() => {
    judge = judgeOf(honest)
    for (let index = 0; index < 8; index += 1)
      judge.learn(key(`k${index}`), nearest(honest, key(`k${index}`)))
  })

  it('estimates the size of the network', () => {
    const size = judge.networkSize() ?? 0
    assert.ok(size > 20 && size < 80, String(size))
  })

  it('is good where the density is as everywhere', () => {
    for (let index = 0; index < 200; index += 1) {
      const target = key(`honest ${index}`)
      const { level, doubts, peers: count } = judge.judge(target, nearest(honest, target))
      assert.equal(level, 'good', doubts.join())
      assert.equal(count, 20)
    }
  })

  it('is doubtful where an attacker has put peers all around a key, whatever it was asked before', () => {
    let found = 0
    for (let index = 0; index < 50; index += 1) {
      const target = key(`victim ${index}`)
      const around = nearest([...honest, ...supply], target)
      judge.learn(target, around)
      if (judge.judge(target, around).level === 'doubtful') found += 1
      judge = judgeOf(honest)
      for (let other = 0; other < 4; other += 1)
        judge.learn(key(`k${other}`), nearest(honest, key(`k${other}`)))
    }
    assert.ok(found >= 48, `${found} of 50`)
  })

  it('is weak when few or none answered', () => {
    const target = key('x')
    assert.deepEqual(judge.judge(target, []).doubts, ['no-peers'])
    const few = judge.judge(target, nearest(honest, target, 3))
    assert.deepEqual([few.level, few.doubts, few.peers], ['weak', ['few-peers'], 3])
  })

  it('says nothing of density before it knows some of the network', () => {
    const young = createJudge(() => ({ ownKey: key('self'), peerIds: [] }))
    const target = key('x')
    const { level, networkSize } = young.judge(target, nearest(peers, target))
    assert.deepEqual([level, networkSize], ['good', undefined])
  })

  it('of two DHTs the better answer counts', () => {
    const good = judge.judge(key('x'), nearest(honest, key('x')))
    const weak = judge.judge(key('x'), [])
    assert.equal(betterOf(good, weak), good)
    assert.equal(betterOf(weak, good), good)
    assert.equal(betterOf(undefined, weak), weak)
  })
})
