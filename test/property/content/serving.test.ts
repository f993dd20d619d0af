import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { MemoryDatastore } from 'datastore-core'
import type { Key, Pair } from 'interface-datastore'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { silentLogger } from '#contracts'
import { cidOf, createMemoryBlockStore, DAG_PB_CODEC, RAW_CODEC } from '#content'
import type { BlockStore, Content } from '#content'
import { didFromPeerId } from '#did'
import { linksOf } from '../../../content/dag-links.ts'
import { openRootIndex } from '../../../content/root-index.ts'
import { randomPeerId, startFixture, utf8 } from '../../unit/content/fixture.ts'

/** Blocks 0 to 4 are leaves; block n links to some with smaller numbers. Sub-DAGs are shared by construction. */
interface Dags {
  readonly store: BlockStore
  readonly cids: readonly CID[]
}

const LEAVES = 5
const dagsArbitrary = fc.array(fc.uniqueArray(fc.nat(100), { minLength: 1, maxLength: 4 }), {
  minLength: 3,
  maxLength: 10
})

async function makeDags(nodes: readonly number[][]): Promise<Dags> {
  const store = createMemoryBlockStore()
  const cids: CID[] = []
  const put = async (codec: number, bytes: Uint8Array): Promise<void> => {
    const cid = cidOf(codec, bytes)
    await store.put(cid, bytes)
    cids.push(cid)
  }
  for (let index = 0; index < LEAVES; index++) await put(RAW_CODEC, utf8(`leaf ${index}`))
  for (const [index, picks] of nodes.entries()) {
    const links = [...new Set(picks.map((pick) => pick % cids.length))].map((pick) => ({
      Name: '',
      Tsize: 0,
      Hash: cids[pick] as CID
    }))
    await put(DAG_PB_CODEC, dagPb.encode({ Data: utf8(`node ${index}`), Links: links }))
  }
  return { store, cids }
}

async function reachable({ store }: Dags, roots: Iterable<CID>): Promise<Set<string>> {
  const found = new Set<string>()
  const pending = [...roots]
  for (let cid = pending.pop(); cid !== undefined; cid = pending.pop()) {
    if (found.has(cid.toString())) continue
    found.add(cid.toString())
    pending.push(...linksOf(cid, (await store.get(cid)) ?? new Uint8Array()))
  }
  return found
}

async function servable(
  content: Pick<Content, 'mayServe'>,
  { cids }: Dags,
  peerId: string
): Promise<Set<string>> {
  const found = new Set<string>()
  for (const cid of cids) if (await content.mayServe(cid, peerId)) found.add(cid.toString())
  return found
}

type Step =
  | { do: 'public' | 'private' | 'share' | 'unpin'; pick: number }
  | { do: 'block'; pick: number }
  | { do: 'gc' }

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constantFrom('public' as const, 'private' as const), pick: fc.nat(100) })
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('share' as const), pick: fc.nat(100) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('unpin' as const), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'gc' as const }) }
)

describe('serving', () => {
  it('serves a block if and only if it lies under a public root, or one shared with the asker', async function () {
    this.timeout(120_000)
    const friend = randomPeerId()
    const stranger = randomPeerId()
    await fc.assert(
      fc.asyncProperty(dagsArbitrary, fc.array(stepArbitrary, { maxLength: 25 }), async (nodes, steps) => {
        const dags = await makeDags(nodes)
        // The blocks stay available from elsewhere, so that a pin after a collection can fetch them again.
        const blocks = createMemoryBlockStore()
        await using source = await startFixture({ blocks: dags.store })
        for (const cid of dags.cids) await blocks.put(cid, (await dags.store.get(cid)) ?? new Uint8Array())
        const exchange = {
          verifiesBlocks: false,
          fetch: async (cid: CID) => (await source.store.get(cid)) ?? new Uint8Array(),
          createSession: () => ({
            fetch: async (cid: CID) => (await source.store.get(cid)) ?? new Uint8Array(),
            report: () => ({ providersFound: 1, peersAsked: 1, peersUnreachable: 0, hasRouting: true })
          }),
          notify: () => undefined
        }
        await using node = await startFixture({ blocks, exchange })
        const model = new Map<string, { cid: CID; is: 'public' | 'private' | 'share' }>()
        for (const step of steps) {
          if (step.do === 'gc') await node.content.gc()
          else {
            const cid = dags.cids[step.pick % dags.cids.length] as CID
            if (step.do === 'unpin') {
              if (model.delete(cid.toString())) await node.content.unpin(cid)
              else await assert.rejects(node.content.unpin(cid), { code: 'ERR_PIN_NOT_FOUND' })
            } else if (step.do !== 'block') {
              const readers = step.do === 'share' ? [didFromPeerId(friend)] : []
              await node.content.pin(cid, { private: step.do !== 'public', readers })
              model.set(cid.toString(), { cid, is: step.do })
            }
          }
          const publicRoots = [...model.values()].filter(({ is }) => is === 'public').map(({ cid }) => cid)
          const sharedRoots = [...model.values()].filter(({ is }) => is !== 'private').map(({ cid }) => cid)
          assert.deepEqual(await servable(node.content, dags, stranger), await reachable(dags, publicRoots))
          assert.deepEqual(await servable(node.content, dags, friend), await reachable(dags, sharedRoots))
          for (const key of await reachable(
            dags,
            [...model.values()].map(({ cid }) => cid)
          )) {
            const cid = dags.cids.find((known) => known.toString() === key)
            assert.ok(cid !== undefined && (await node.store.has(cid)), 'a pinned block was removed')
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  it('after a crash between any two writes serves no block that no record allows', async function () {
    this.timeout(120_000)
    const stranger = randomPeerId()
    const steps = fc.array(
      fc.record({ do: fc.constantFrom('public', 'private', 'unpin'), pick: fc.nat(100) }),
      { minLength: 1, maxLength: 8 }
    )
    await fc.assert(
      fc.asyncProperty(dagsArbitrary, steps, fc.nat(60), async (nodes, plan, writesLeft) => {
        const dags = await makeDags(nodes)
        const disk = new MemoryDatastore()
        const before = new Map<string, { cid: CID; isPublic: boolean }>()
        let during: { cid: CID; isPublic: boolean | undefined } | undefined
        {
          const node = await startFixture({
            blocks: dags.store,
            datastore: new DyingDatastore(disk, writesLeft)
          })
          try {
            for (const step of plan) {
              const cid = dags.cids[step.pick % dags.cids.length] as CID
              const isPublic = step.do === 'unpin' ? undefined : step.do === 'public'
              during = { cid, isPublic }
              if (isPublic !== undefined) await node.content.pin(cid, { private: !isPublic })
              else if (before.has(cid.toString())) await node.content.unpin(cid)
              if (isPublic === undefined) before.delete(cid.toString())
              else before.set(cid.toString(), { cid, isPublic })
              during = undefined
            }
          } catch {
            // The datastore died; what follows is the next start.
          }
          await node[Symbol.asyncDispose]()
        }
        await using node = await startFixture({ blocks: dags.store, datastore: disk })
        const after = new Map(before)
        if (during?.isPublic === undefined) after.delete(during?.cid.toString() ?? '')
        else after.set(during.cid.toString(), { cid: during.cid, isPublic: during.isPublic })
        const publicOf = (model: typeof before): CID[] =>
          [...model.values()].filter(({ isPublic }) => isPublic).map(({ cid }) => cid)
        const served = await servable(node.content, dags, stranger)
        const allowed = [await reachable(dags, publicOf(before)), await reachable(dags, publicOf(after))]
        assert.ok(
          allowed.some((set) => assertSame(set, served)),
          'what is served is neither what was before nor what was to be'
        )
      }),
      { numRuns: 200 }
    )
  })

  it('collects nothing while a record cannot be read', async () => {
    const datastore = new MemoryDatastore()
    await using first = await startFixture({ datastore })
    const { cid } = await first.content.addFiles([{ path: 'a', content: utf8('a') }])
    for await (const { key } of datastore.query({ prefix: '/content/1/root/' })) {
      await datastore.put(key, utf8('garbage'))
    }
    await using node = await startFixture({ datastore, blocks: first.store })
    assert.equal(await node.content.mayServe(cid, randomPeerId()), false)
    await assert.rejects(node.content.gc(), { code: 'ERR_STORE_IO' })
    assert.equal(await node.store.has(cid), true)
    const index = await openRootIndex({ datastore, isDenied: () => false, logger: silentLogger })
    assert.equal(index.unreadableCount, 1)
  })
})

function assertSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((key) => b.has(key))
}

/** Lets so many writes through to another datastore and then none; a batch may be cut in half. */
class DyingDatastore extends MemoryDatastore {
  readonly #disk: MemoryDatastore
  #writesLeft: number

  constructor(disk: MemoryDatastore, writesLeft: number) {
    super()
    this.#disk = disk
    this.#writesLeft = writesLeft
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    this.#spend()
    await this.#disk.put(key, value)
    return key
  }

  override async get(key: Key): Promise<Uint8Array> {
    return await this.#disk.get(key)
  }

  override async delete(key: Key): Promise<void> {
    this.#spend()
    await this.#disk.delete(key)
  }

  override *_all(): Generator<Pair> {
    yield* this.#disk._all({}) as Generator<Pair>
  }

  override *_allKeys(): Generator<Key> {
    yield* this.#disk._allKeys({}) as Generator<Key>
  }

  #spend(): void {
    if (this.#writesLeft-- <= 0) throw new Error('the machine is off')
  }
}
