import assert from 'node:assert/strict'
import { silentLogger, systemClock } from '#contracts'
import { rehearseFetch, rehearseSoon } from '../../../content/rehearsal.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

/** Of twenty files a root and a leaf. */
const BLOCKS = 20 * 2

describe('a rehearsal of a fetch', () => {
  it('brings the first blocks of a file through all that a fetch passes', async () => {
    const { signal } = new AbortController()
    const fetched = await rehearseFetch({ clock: systemClock, logger: silentLogger }, signal)
    assert.equal(fetched, BLOCKS)
  })

  it('leaves nothing behind where the node stops first', async () => {
    const clock = createVirtualClock()
    const rehearsal = rehearseSoon({ clock, logger: silentLogger })
    assert.equal(clock.pendingCount(), 1)
    await rehearsal[Symbol.asyncDispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('ends when the node stops meanwhile', async () => {
    const stop = new AbortController()
    const clock = createVirtualClock()
    const work = rehearseFetch({ clock, logger: silentLogger }, stop.signal)
    await clock.settle()
    stop.abort(new Error('the node stops'))
    await assert.rejects(work, /the node stops/)
    await clock.settle()
    assert.equal(clock.pendingCount(), 0)
  })
})
