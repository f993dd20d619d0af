import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { startOutbox, type Outbox } from '../../../rooms/outbox.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

interface Setup {
  readonly clock: VirtualClock
  readonly outbox: Outbox
  readonly published: string[]
  /** How many peers are there; `undefined` makes publishing fail. */
  recipients: number | undefined
}

function setUp(): Setup {
  const clock = createVirtualClock()
  const setup: Omit<Setup, 'outbox'> = { clock, published: [], recipients: 0 }
  const transport = {
    publish: async (_topic: string, bytes: Uint8Array) => {
      if (setup.recipients === undefined) throw new Error('network down')
      setup.published.push(new TextDecoder().decode(bytes))
      return { recipients: setup.recipients }
    }
  }
  return Object.assign(setup, { outbox: startOutbox({ transport, clock, logger: silentLogger }, 'topic') })
}

const letter = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('an outbox', () => {
  it('hands on what waited as soon as somebody arrives', async () => {
    const setup = setUp()
    const posted = Promise.all([setup.outbox.post(letter('a')), setup.outbox.post(letter('b'))])
    await setup.clock.advance(5_000)
    assert.ok(setup.published.every((text) => text === 'a'))
    setup.recipients = 2
    setup.outbox.retry()
    assert.deepEqual(await posted, [2, 2])
    assert.deepEqual(setup.published.slice(-2), ['a', 'b'])
  })

  it('gives up after fifteen seconds, and outlives failures', async () => {
    const setup = setUp()
    setup.recipients = undefined
    const lost = setup.outbox.post(letter('a'))
    await setup.clock.advance(16_500)
    assert.equal(await lost, 0)
    setup.recipients = 1
    assert.equal(await setup.outbox.post(letter('b')), 1)
    assert.equal(setup.clock.pendingCount(), 0)
  })

  it('lets go of what waits when it is stopped', async () => {
    const setup = setUp()
    const posted = setup.outbox.post(letter('a'))
    await setup.clock.settle()
    await setup.outbox[Symbol.asyncDispose]()
    assert.equal(await posted, 0)
    assert.equal(setup.clock.pendingCount(), 0)
  })
})
