import assert from 'node:assert/strict'
import { CONTACTS_MAX, LOST_KEPT_MS, LOST_PEERS_MAX } from '../../../rooms/constants.ts'
import { createLostPeers } from '../../../rooms/lost-peers.ts'
import { createSeededRandom } from '../../support/seeded-random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

describe('members whose connection broke', () => {
  const clock = createVirtualClock()
  let connected: string[]
  let members: Set<string>
  let offered: string[]
  let check: () => void
  beforeEach(() => {
    connected = []
    members = new Set()
    offered = []
    const lost = createLostPeers({
      ...{ clock, random: createSeededRandom(1) },
      connected: () => connected,
      memberAt: (peerId) => (members.has(peerId) ? { peerId, multiaddrs: [`/memory/${peerId}`] } : undefined),
      offer: ({ peerId, multiaddrs }) => offered.push(`${peerId} ${multiaddrs.join()}`)
    })
    check = () => {
      offered = []
      lost.check()
    }
  })

  it('are tried again until they are there, though others are', () => {
    ;[connected, members] = [['near', 'far'], new Set(['near', 'far'])]
    check()
    assert.deepEqual(offered, [])
    connected = ['near']
    check()
    // it is gone from the table by now
    members = new Set(['near'])
    check()
    assert.deepEqual(offered, ['far /memory/far'])
    connected = ['near', 'far']
    check()
    assert.deepEqual(offered, [])
    connected = ['far']
    check()
    assert.deepEqual(offered, ['near /memory/near'])
  })

  it('are left alone when they have left, and after a time', async () => {
    ;[connected, members] = [['leaver', 'lost'], new Set(['lost'])]
    check()
    connected = []
    check()
    assert.deepEqual(offered, ['lost /memory/lost'])
    await clock.advance(LOST_KEPT_MS)
    check()
    assert.deepEqual(offered, [])
  })

  it('are remembered within a bound', () => {
    connected = Array.from({ length: LOST_PEERS_MAX + 8 }, (_, index) => String(index))
    members = new Set(connected)
    check()
    connected = []
    check()
    assert.equal(offered.length, LOST_PEERS_MAX)
  })

  it('are not forgotten for others who come and go', async () => {
    ;[connected, members] = [['true'], new Set(['true'])]
    check()
    await clock.advance(60_000)
    const passers = Array.from({ length: LOST_PEERS_MAX }, (_, index) => String(index))
    ;[connected, members] = [['true', ...passers], new Set(['true', ...passers])]
    check()
    await clock.advance(5_000)
    connected = ['true']
    check()
    assert.equal(offered.length, LOST_PEERS_MAX)
    connected = []
    check()
    assert.equal(offered.length, LOST_PEERS_MAX)
    assert.ok(offered.includes('true /memory/true'))
  })

  it('are tried one at a time, each in its turn, while there is company enough', () => {
    const company = Array.from({ length: CONTACTS_MAX }, (_, index) => `here ${index}`)
    const lost = ['one', 'two', 'three']
    ;[connected, members] = [[...company, ...lost], new Set([...company, ...lost])]
    check()
    connected = company
    const tried = new Set<string>()
    for (let times = 0; times < 200; times++) {
      check()
      assert.equal(offered.length, 1)
      tried.add(offered[0] ?? '')
    }
    assert.equal(tried.size, lost.length)
    connected = company.slice(1)
    check()
    assert.equal(offered.length, lost.length + 1)
  })
})
