import assert from 'node:assert/strict'
import { combineRouting } from '../../../dht/combined-routing.ts'
import type { Routing } from '../../../dht/routing.ts'
import { cidOf } from '../../support/memory-names.ts'

interface FakeInit {
  readonly finds?: readonly string[]
  readonly stored?: number
  readonly error?: Error
  /** Finds nothing more, and does not end, until it is told to. */
  readonly hangs?: boolean
}

interface Fake extends Routing {
  readonly log: string[]
}

function createFake({ finds = [], stored = 1, error, hangs = false }: FakeInit): Fake {
  const log: string[] = []
  const act = async (what: string): Promise<{ stored: number }> => {
    log.push(what)
    await Promise.resolve()
    if (error !== undefined) throw error
    return { stored }
  }
  return {
    log,
    provide: () => act('provide'),
    keepOnly: async () => {
      log.push('keepOnly')
      await Promise.resolve()
    },
    provideQuick: () => act('provideQuick'),
    forget: async () => {
      await act('forget')
    },
    findProviders: async function* (_cid, { signal } = {}) {
      for (const peerId of finds) yield { peerId, multiaddrs: [] }
      await act('find')
      if (hangs && signal !== undefined) {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true })
        })
        log.push('aborted')
        signal.throwIfAborted()
      }
    }
  }
}

async function found(routing: Routing, o: { atMost?: number; signal?: AbortSignal } = {}): Promise<string[]> {
  const peers: string[] = []
  const options = o.signal === undefined ? {} : { signal: o.signal }
  for await (const { peerId } of routing.findProviders(await cidOf('x'), options)) {
    peers.push(peerId)
    if (peers.length === o.atMost) break
  }
  return peers
}

describe('dht/combined-routing', () => {
  it('announces in all DHTs and succeeds when one of them does', async () => {
    const [good, bad] = [createFake({ stored: 3 }), createFake({ error: new Error('no peers') })]
    const cid = await cidOf('x')
    for (const pair of [
      [good, bad],
      [bad, good]
    ]) {
      assert.deepEqual(await combineRouting(pair).provide(cid), { stored: 3 })
      assert.deepEqual(await combineRouting(pair).provideQuick(cid), { stored: 3 })
      await combineRouting(pair).forget(cid)
    }
    assert.deepEqual(await combineRouting([good, good]).provide(cid), { stored: 6 })
  })

  it('fails as the first DHT did when all fail', async () => {
    const all = combineRouting([
      createFake({ error: new Error('first') }),
      createFake({ error: new Error('second') })
    ])
    const cid = await cidOf('x')
    await assert.rejects(all.provide(cid), /first/)
    await assert.rejects(all.provideQuick(cid), /first/)
    await assert.rejects(all.forget(cid), /first/)
    await assert.rejects(found(all), /first/)
  })

  it('yields what any DHT finds, each provider once, without waiting for the slower one', async () => {
    const [quick, slow] = [createFake({ finds: ['a', 'b'] }), createFake({ finds: ['b', 'c'], hangs: true })]
    const peers = await found(combineRouting([quick, slow]), { atMost: 3 })
    assert.deepEqual(peers.toSorted(), ['a', 'b', 'c'])
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(slow.log.includes('aborted') || !slow.log.includes('find'), true)
  })

  it('goes on when one DHT fails, and ends with the caller’s reason when the caller gives up', async () => {
    const bad = createFake({ finds: ['a'], error: new Error('broken') })
    assert.deepEqual((await found(combineRouting([bad, createFake({ finds: ['b'] })]))).toSorted(), [
      'a',
      'b'
    ])
    const controller = new AbortController()
    const slow = createFake({ finds: ['a'], hangs: true })
    const search = found(combineRouting([slow, createFake({})]), { signal: controller.signal })
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(new Error('enough'))
    await assert.rejects(search, /enough/)
    assert.deepEqual(slow.log, ['find', 'aborted'])
  })
})
