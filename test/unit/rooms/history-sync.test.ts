import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { HISTORY_TRIED_MAX } from '../../../rooms/constants.ts'
import { encodeHistoryAnswer } from '../../../rooms/history-exchange.ts'
import { startHistorySync, type HistorySync } from '../../../rooms/history-sync.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const MINUTE_MS = 60_000
const MISSED = Uint8Array.of(7)

interface Fixture extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly sync: HistorySync
  /** Who was asked, in order. */
  readonly asked: string[]
  readonly taken: Uint8Array[]
  peers: readonly string[]
}

/** Somebody who always picks the first; only `good` answers, the others are gone and nobody knows it yet. */
function start(good: string): Fixture {
  const clock = createVirtualClock()
  const [asked, taken]: [string[], Uint8Array[]] = [[], []]
  const fixture = { clock, asked, taken, peers: [] as readonly string[] }
  const sync = startHistorySync(
    {
      ...{ clock, logger: silentLogger, random: { unit: () => 0, bytes: (count) => new Uint8Array(count) } },
      transport: {
        request: async (peerId) => {
          asked.push(peerId)
          if (peerId !== good) return await Promise.withResolvers<Uint8Array>().promise
          return encodeHistoryAnswer({ messages: [MISSED], hasMore: false })
        }
      }
    },
    {
      peers: () => fixture.peers,
      request: () => Uint8Array.of(1),
      take: (bytes) => taken.push(bytes) === 1,
      hasGap: () => false
    }
  )
  const dispose = async (): Promise<void> => {
    await sync[Symbol.asyncDispose]()
  }
  return Object.assign(fixture, { sync, [Symbol.asyncDispose]: dispose })
}

describe('asking for what was missed', () => {
  it('goes on to others, when those who came first are gone already', async () => {
    await using one = start('f')
    one.peers = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const peerId of one.peers) one.sync.met(peerId)
    await one.clock.advance(MINUTE_MS)
    assert.ok(one.taken.length > 0, 'within a minute')
    assert.deepEqual(new Set(one.asked.slice(0, 6)).size, 6, 'each once before any is asked again')
  })

  it('asks a few at once and then rarely, when all is well', async () => {
    await using one = start('a')
    one.peers = ['a']
    one.sync.met('a')
    await one.clock.advance(10 * MINUTE_MS)
    assert.ok(one.asked.length < 50, `${one.asked.length} questions`)
  })

  it('is patient, too, where nobody answers', async () => {
    await using one = start('nobody')
    one.peers = Array.from({ length: 2 * HISTORY_TRIED_MAX }, (_, index) => String(index))
    for (const peerId of one.peers) one.sync.met(peerId)
    await one.clock.advance(10 * MINUTE_MS)
    const before = one.asked.length
    await one.clock.advance(10 * MINUTE_MS)
    assert.ok(one.asked.length - before < 40, `${one.asked.length - before} more`)
  })

  it('begins anew for who comes after a time alone', async () => {
    await using one = start('z')
    one.peers = ['a', 'b', 'c']
    await one.clock.advance(5 * MINUTE_MS)
    one.peers = []
    await one.clock.advance(MINUTE_MS)
    one.peers = ['a', 'b', 'c', 'z']
    one.sync.met('a')
    await one.clock.advance(MINUTE_MS)
    assert.ok(one.taken.length > 0)
  })
})
