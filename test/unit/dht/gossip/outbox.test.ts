import assert from 'node:assert/strict'
import { createOutbox } from '../../../../dht/gossip/outbox.ts'
import { FORWARD_HOLD_MS_MAX, FORWARDS_HELD_BYTES_MAX } from '../../../../dht/constants.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

function setUp(unwanted: readonly string[] = []): {
  readonly clock: ReturnType<typeof createVirtualClock>
  readonly outbox: ReturnType<typeof createOutbox>
  readonly sent: string[]
} {
  const clock = createVirtualClock()
  const sent: string[] = []
  const outbox = createOutbox({
    clock,
    random: createSeededRandom(1),
    isUnwanted: (peerId, id) => unwanted.includes(`${peerId} ${id}`),
    send: (peerId, frames) => sent.push(`${peerId} ${Buffer.from(frames).toString()}`)
  })
  return { clock, outbox, sent }
}

const forward = (id: string, ...to: string[]): Parameters<ReturnType<typeof createOutbox>['add']>[0] => ({
  id,
  frame: Buffer.from(id),
  to: new Set(to)
})

describe('what is to be forwarded', () => {
  it('goes to everybody a moment later, in one write each', async () => {
    const { clock, outbox, sent } = setUp()
    outbox.add(forward('a', 'x', 'y'))
    outbox.add(forward('b', 'y'))
    assert.deepEqual(sent, [])
    await clock.advance(FORWARD_HOLD_MS_MAX)
    assert.deepEqual(sent, ['x a', 'y ab'])
    assert.equal(clock.pendingCount(), 0)
  })

  it('does not go to who has sent it meanwhile, nor to who does not want it', async () => {
    const { clock, outbox, sent } = setUp(['z a'])
    outbox.add(forward('a', 'x', 'y', 'z'))
    outbox.add(forward('b', 'x'))
    outbox.drop('x', 'a')
    outbox.drop('x', 'never heard of')
    await clock.advance(FORWARD_HOLD_MS_MAX)
    assert.deepEqual(sent.toSorted(), ['x b', 'y a'])
  })

  it('is not held beyond its bound, and not after the end', async () => {
    const { clock, outbox, sent } = setUp()
    outbox.add({ id: 'large', frame: Buffer.alloc(FORWARDS_HELD_BYTES_MAX, 'x'), to: new Set(['x']) })
    assert.equal(sent.length, 1)
    outbox.add(forward('a', 'x'))
    outbox[Symbol.dispose]()
    await clock.advance(FORWARD_HOLD_MS_MAX)
    assert.equal(sent.length, 1)
    assert.equal(clock.pendingCount(), 0)
  })
})
