import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { silentLogger, systemRandom } from '#contracts'
import { cidOf, RAW_CODEC } from '#content'
import { Announcer } from '../../../content/announcer.ts'
import { PROVIDE_TIMEOUT_MS, REPROVIDE_INTERVAL_MS, REPROVIDE_PARALLEL } from '../../../content/constants.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { startFixture, utf8 } from './fixture.ts'
import type { VirtualClock } from '../../support/virtual-clock.ts'

const cids = Array.from({ length: 12 }, (_, index) => cidOf(RAW_CODEC, utf8(`root ${index}`)))
const [first = cidOf(RAW_CODEC, utf8(''))] = cids

type Routing = ConstructorParameters<typeof Announcer>[0]['routing']

function announcerOver(
  clock: VirtualClock,
  routing: Routing,
  isDenied: (cid: CID) => boolean = () => false
): Announcer {
  return new Announcer({ routing, isDenied, clock, random: systemRandom, logger: silentLogger })
}

function announcerWith(
  clock: VirtualClock,
  provide: Routing['provide'],
  isDenied?: (cid: CID) => boolean
): Announcer {
  return announcerOver(clock, { provide }, isDenied)
}

describe('announcements', () => {
  it('come again before provider records end, and not more often', async () => {
    const clock = createVirtualClock()
    const at: number[] = []
    await using announcer = announcerWith(clock, async () => {
      at.push(clock.monotonicMs())
      await Promise.resolve()
    })
    await announcer.add(first)
    await clock.advance(REPROVIDE_INTERVAL_MS * 3)
    assert.ok(at.length >= 3 && at.length <= 5, String(at))
    for (const [index, ms] of at.entries()) {
      if (index === 0) continue
      const gapMs = ms - (at[index - 1] ?? 0)
      assert.ok(gapMs <= REPROVIDE_INTERVAL_MS && gapMs >= REPROVIDE_INTERVAL_MS * 0.85, String(gapMs))
    }
  })

  it('are tried again when they fail, ever more rarely, and never give up', async () => {
    const clock = createVirtualClock()
    let attempts = 0
    let works = false
    await using announcer = announcerWith(clock, async () => {
      attempts++
      if (!works) throw new Error('no peers')
      await Promise.resolve()
    })
    await assert.rejects(announcer.add(first), { message: 'no peers' })
    await clock.advance(60_000)
    const early = attempts
    assert.ok(early >= 4 && early <= 7, String(early))
    await clock.advance(24 * 60 * 60 * 1000)
    assert.ok(attempts - early >= 100 && attempts - early <= 160, String(attempts))
    works = true
    await clock.advance(11 * 60 * 1000)
    assert.deepEqual(announcer.counts(1), { announced: 1, waiting: 0 })
  })

  it('can be hurried when the node has met a peer', async () => {
    const clock = createVirtualClock()
    let works = false
    await using announcer = announcerWith(clock, async () => {
      if (!works) throw new Error('no peers')
      await Promise.resolve()
    })
    await announcer.add(first).catch(() => undefined)
    works = true
    announcer.hurry()
    await clock.settle()
    assert.deepEqual(announcer.counts(1), { announced: 1, waiting: 0 })
  })

  it('run few at a time, and a routing that never answers does not hold the others up', async () => {
    const clock = createVirtualClock()
    let running = 0
    let most = 0
    const done = new Set<string>()
    await using announcer = announcerWith(clock, async (cid) => {
      most = Math.max(most, ++running)
      if (cid === first) await new Promise(() => undefined)
      await Promise.resolve()
      running--
      done.add(cid.toString())
    })
    const added = cids.map(async (cid) => await announcer.add(cid))
    const stuck = assert.rejects(added[0] ?? Promise.resolve(), { code: 'ERR_CONTENT_STALLED' })
    await Promise.all(added.slice(1))
    assert.ok(most <= REPROVIDE_PARALLEL)
    await clock.advance(PROVIDE_TIMEOUT_MS)
    await stuck
    assert.equal(done.size, cids.length - 1)
  })

  it('do not come for what was removed or denied', async () => {
    const clock = createVirtualClock()
    const provided: string[] = []
    await using announcer = announcerWith(
      clock,
      async (cid) => {
        provided.push(cid.toString())
        await Promise.resolve()
      },
      (cid) => cid === cids[1]
    )
    await announcer.add(first)
    announcer.remove(first)
    await assert.rejects(announcer.add(cids[1] as CID), { code: 'ERR_CONTENT_DENIED' })
    await clock.advance(3 * REPROVIDE_INTERVAL_MS)
    assert.deepEqual(provided, [first.toString()])
  })

  it('end with the node, also one that never answers, and leave no timer', async () => {
    const clock = createVirtualClock()
    const announcer = announcerWith(clock, async () => await new Promise(() => undefined))
    const waiting = assert.rejects(announcer.add(first), { code: 'ERR_CONTENT_CLOSED' })
    await clock.settle()
    await announcer[Symbol.asyncDispose]()
    await waiting
    assert.equal(clock.pendingCount(), 0)
  })

  it('are left to a routing that makes them again by itself, also those that were not taken at first', async () => {
    const clock = createVirtualClock()
    const did: string[] = []
    let works = false
    const routing = {
      provide: async (cid: CID, options: { transient?: true }) => {
        did.push(`provide ${cid.toString()} ${options.transient ?? false}`)
        if (!works) throw new Error('no peers')
        await Promise.resolve()
      },
      keepOnly: async (kept: Iterable<CID>) => {
        did.push(`keep ${[...kept].map(String).join(' ')}`)
        await Promise.resolve()
      },
      forget: async (cid: CID) => {
        did.push(`forget ${cid.toString()}`)
        await Promise.resolve()
      }
    }
    await using announcer = announcerOver(clock, routing, (cid) => cid === cids[1])
    announcer.start(cids.slice(0, 3))
    assert.deepEqual(did.splice(0), [`keep ${String(cids[0])} ${String(cids[2])}`])
    await announcer.add(first).catch(() => undefined)
    assert.deepEqual(announcer.counts(3), { announced: 2, waiting: 1 })
    works = true
    announcer.hurry()
    await clock.settle()
    assert.deepEqual(announcer.counts(3), { announced: 3, waiting: 0 })
    assert.deepEqual(
      did.splice(0),
      Array.from({ length: 2 }, () => `provide ${first.toString()} false`)
    )
    await clock.advance(3 * REPROVIDE_INTERVAL_MS)
    assert.deepEqual(did, [])
    announcer.remove(first)
    await clock.settle()
    assert.deepEqual(did, [`forget ${first.toString()}`])
  })

  it('withdraw what was removed while it was being announced, after that has ended', async () => {
    const clock = createVirtualClock()
    const did: string[] = []
    const routing = {
      provide: async (_cid: CID, { signal }: { signal: AbortSignal }) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true })
        })
        did.push('ended')
        throw new Error('nobody')
      },
      keepOnly: async () => await Promise.resolve(),
      forget: async () => {
        did.push('forgotten')
        await Promise.resolve()
      }
    }
    await using announcer = announcerOver(clock, routing)
    const added = assert.rejects(announcer.add(first), { code: 'ERR_PIN_NOT_FOUND' })
    await clock.settle()
    announcer.remove(first)
    await added
    await clock.settle()
    assert.deepEqual(did, ['ended', 'forgotten'])
  })

  it('and withdrawals wait until the routing has the list of the start, which would undo them', async () => {
    const clock = createVirtualClock()
    const did: string[] = []
    const listed = Promise.withResolvers<void>()
    const routing = {
      provide: async () => {
        did.push('provided')
        await Promise.resolve()
      },
      keepOnly: async () => {
        await listed.promise
        did.push('listed')
      },
      forget: async () => {
        did.push('forgotten')
        await Promise.resolve()
      }
    }
    await using announcer = announcerOver(clock, routing)
    announcer.start(cids.slice(0, 1))
    announcer.remove(first)
    const added = announcer.add(cids[1] as CID)
    await clock.settle()
    assert.deepEqual(did, [])
    listed.resolve()
    await added
    await clock.settle()
    assert.deepEqual([did[0], did.toSorted()], ['listed', ['forgotten', 'listed', 'provided']])
  })

  it('come for every public root when a node starts again, and for no private one', async () => {
    await using before = await startFixture()
    const shown = await before.content.addFiles([{ path: 'a', content: utf8('shown') }])
    await before.content.addFiles([{ path: 'a', content: utf8('hidden') }], { private: true })
    const block = await before.content.putBlock(utf8('head'), { codec: 'raw', public: true })
    await using again = await startFixture({ datastore: before.datastore, blocks: before.store })
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(again.provided.sort(), [shown.cid.toString(), block.cid.toString()].sort())
  })
})
