import assert from 'node:assert/strict'
import { QUERY_DIALS_MAX, QUERY_MESSAGES_MAX } from '../../../../dht/query/constants.ts'
import { createPeerBook, nearestOf } from '../../../../dht/query/peer-book.ts'
import type { BookPeer } from '../../../../dht/query/peer-book.ts'
import { Search } from '../../../../dht/query/search.ts'
import type { Candidate, SearchInit } from '../../../../dht/query/search.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'

const COUNT = 20
const random = createSeededRandom(4)
const book = createPeerBook()
const target = random.bytes(32)
const makePeers = (count: number): BookPeer[] =>
  Array.from({ length: count }, () => book.of(Uint8Array.of(0x12, 0x20, ...random.bytes(32))))

function search(init: Partial<SearchInit>): Search {
  return new Search({
    ...{ target, count: COUNT, goal: 'nearest', starting: [], own: undefined },
    isConnected: () => true,
    ...init
  })
}

/** Asks until the search has enough or nobody is left; returns whom it asked. */
function run(
  of: Search,
  answer: (candidate: Candidate) => { named?: BookPeer[]; providers?: boolean } | undefined
): BookPeer[] {
  const asked: BookPeer[] = []
  while (!of.isEnough()) {
    const candidate = of.next()
    if (candidate === undefined) break
    asked.push(candidate.peer)
    const answered = answer(candidate)
    if (answered === undefined) of.failed(candidate)
    else of.answered(candidate, answered.named ?? [], answered.providers ?? false)
  }
  return asked
}

describe('a search of the DHT', () => {
  const network = makePeers(300)
  const nearest = nearestOf(target, network, COUNT)

  it('stops early once nothing nearer comes up, with the nearest', () => {
    const of = search({ starting: network.slice(0, COUNT) })
    const asked = run(of, () => ({ named: nearest }))
    assert.deepEqual(of.nearest(), nearest)
    assert.ok(asked.length < COUNT / 2, `asked ${asked.length}`)
  })

  it('asks each of the nearest when it is to be thorough, and when one did not answer', () => {
    const thorough = search({ starting: nearest, goal: 'thorough' })
    assert.equal(run(thorough, () => ({})).length, COUNT)
    const doubting = search({ starting: nearest })
    const [gone] = nearest
    const asked = run(doubting, ({ peer }) => (peer === gone ? undefined : {}))
    assert.equal(asked.length, COUNT)
    assert.ok(gone !== undefined && !doubting.nearest().includes(gone))
  })

  it('ends a search for providers when several of the nearest name some, and not when one does', () => {
    const several = run(search({ starting: nearest, goal: 'providers' }), () => ({ providers: true }))
    assert.equal(several.length, 4)
    let answers = 0
    const one = run(search({ starting: nearest, goal: 'providers' }), () => ({ providers: ++answers === 1 }))
    assert.equal(one.length, COUNT)
  })

  it('does not end on the word of peers that all came from one', () => {
    const [liar, ...honest] = network.slice(0, 3)
    assert.ok(liar)
    const friends = new Set(nearest)
    const of = search({ starting: [liar, ...honest], goal: 'providers', count: 23 })
    const asked = run(of, ({ peer }) =>
      peer === liar ? { named: nearest } : { providers: friends.has(peer) }
    )
    for (const peer of honest) assert.ok(asked.includes(peer))
  })

  it('prefers who is connected among the nearest', () => {
    const near = nearest[5]
    const of = search({ starting: nearest, isConnected: (peer) => peer === near })
    assert.equal(of.next()?.peer, near)
    assert.equal(of.next()?.peer, nearest[0])
  })

  it('asks a stranger among the nearest once that is all that keeps it from its end', () => {
    const [stranger] = nearest
    const of = search({ starting: nearest, isConnected: (peer) => peer !== stranger })
    const asked = run(of, () => ({ named: nearest }))
    assert.ok(stranger !== undefined && asked.includes(stranger))
    assert.ok(asked.length < COUNT / 2, `asked ${asked.length}`)
  })

  it('says when each of the nearest has to answer, so that more are asked at once', () => {
    assert.equal(search({ starting: nearest, goal: 'thorough' }).isThorough, true)
    const of = search({ starting: nearest })
    assert.equal(of.isThorough, false)
    const candidate = of.next()
    assert.ok(candidate !== undefined)
    of.failed(candidate)
    assert.equal(of.isThorough, true)
  })

  it('leaves out whom a liar named, once several of those did not answer', () => {
    const phantoms = nearestOf(target, makePeers(2_000), 24)
    const liar = nearest[0]
    const of = search({ starting: nearest, goal: 'thorough' })
    const asked = run(of, ({ peer }) => {
      if (peer === liar) return { named: phantoms }
      return phantoms.includes(peer) ? undefined : { named: nearest }
    })
    assert.ok(asked.filter((peer) => phantoms.includes(peer)).length <= 5)
    assert.deepEqual(of.nearest(), nearest)
  })

  it('takes back whom it left out when somebody else names it', () => {
    const phantoms = makePeers(4)
    const real = nearestOf(target, makePeers(3_000), 1)
    const [liar, honest] = network
    assert.ok(liar && honest)
    const of = search({ starting: [liar, honest], goal: 'thorough', isConnected: (peer) => peer === liar })
    const first = of.next()
    assert.ok(first)
    of.answered(first, [...real, ...phantoms], false)
    const waiting = Array.from({ length: 6 }, () => of.next()).filter((one) => one !== undefined)
    for (const candidate of waiting) {
      if (phantoms.includes(candidate.peer)) of.failed(candidate)
      else of.answered(candidate, candidate.peer === honest ? real : [], false)
    }
    assert.ok(of.nearest().includes(real[0] as BookPeer))
  })

  it('waits for slow peers no longer than it must, and counts their answers when they come', () => {
    const of = search({ starting: nearest, goal: 'thorough' })
    const slow = of.next()
    assert.ok(slow)
    of.slow(slow)
    run(of, () => ({}))
    assert.ok(!of.nearest().includes(slow.peer))
    of.answered(slow, [], false)
    assert.equal(of.nearest()[0], slow.peer)
  })

  it('spends no more than its budget of messages and of dials, however many peers are named', () => {
    const endless = (): BookPeer[] => makePeers(24)
    const messages = run(search({ starting: nearest, goal: 'thorough' }), () => ({ named: endless() }))
    assert.ok(messages.length <= QUERY_MESSAGES_MAX)
    const failing = run(
      search({ starting: network.slice(0, 200), goal: 'thorough', isConnected: () => false }),
      () => undefined
    )
    assert.equal(failing.length, QUERY_DIALS_MAX)
  })

  it('asks nobody when there is nobody, nor itself', () => {
    assert.equal(search({}).next(), undefined)
    const [own] = nearest
    assert.ok(own)
    const of = search({ starting: nearest, own, goal: 'thorough' })
    assert.ok(!run(of, () => ({ named: [own] })).includes(own))
  })
})
