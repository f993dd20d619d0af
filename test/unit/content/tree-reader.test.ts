import assert from 'node:assert/strict'
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { cidOf, DAG_CBOR_CODEC, DAG_PB_CODEC, RAW_CODEC } from '#content'
import { LATE_STEPS_AFTER_MS } from '../../../content/constants.ts'
import { hashName, slotOf } from '../../../content/shard-slot.ts'
import { traverse } from '../../../content/traverse.ts'
import { decodeUnixfs } from '../../../content/unixfs-node.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { bytesOf, fakeExchange, startFixture, utf8 } from './fixture.ts'
import type { Fixture } from './fixture.ts'

interface ShardLink {
  name: string
  cid: CID
}

/** Puts one node of a sharded folder. */
async function putShard(node: Fixture, links: ShardLink[], fanout = 256n): Promise<CID> {
  const unixfs = new UnixFS({
    type: 'hamt-sharded-directory',
    data: Uint8Array.of(1),
    fanout,
    hashType: 0x22n
  })
  const bytes = dagPb.encode(
    dagPb.prepare({
      Data: unixfs.marshal(),
      Links: links.map(({ name, cid }) => ({ Name: name, Hash: cid, Tsize: 1 }))
    })
  )
  const cid = cidOf(DAG_PB_CODEC, bytes)
  await node.store.put(cid, bytes)
  return cid
}

async function putFile(node: Fixture, text: string): Promise<CID> {
  const cid = cidOf(RAW_CODEC, utf8(text))
  await node.store.put(cid, utf8(text))
  return cid
}

async function slotName(name: string, level = 0): Promise<string> {
  const slot = slotOf(await hashName(name), level, 8)
  return slot.toString(16).toUpperCase().padStart(2, '0')
}

describe('sharded folders', () => {
  it('that are honest list and look up the same entries', async () => {
    await using node = await startFixture()
    const cid = await putShard(node, [
      { name: `${await slotName('good')}good`, cid: await putFile(node, 'x') }
    ])
    const [entry] = await Array.fromAsync(node.content.list(cid, ''))
    assert.equal(entry?.name, 'good')
    assert.equal(Buffer.from(await node.content.read(cid, 'good', { bytesMax: 9 })).toString(), 'x')
  })

  it('are refused when an entry is where looking it up would not find it', async () => {
    await using node = await startFixture()
    const file = await putFile(node, 'x')
    const right = Number.parseInt(await slotName('hidden'), 16)
    const wrong = ((right + 1) % 256).toString(16).toUpperCase().padStart(2, '0')
    const misplaced = await putShard(node, [{ name: `${wrong}hidden`, cid: file }])
    await assert.rejects(Array.fromAsync(node.content.list(misplaced, '')), { code: 'ERR_DAG_MALFORMED' })
    const inner = await putShard(node, [{ name: `${await slotName('hidden', 0)}hidden`, cid: file }])
    const tooDeep = await putShard(node, [{ name: wrong, cid: inner }])
    await assert.rejects(Array.fromAsync(node.content.list(tooDeep, '')), { code: 'ERR_DAG_MALFORMED' })
  })

  it('are refused when they use a slot twice, mix fanouts, or have one that we do not know', async () => {
    await using node = await startFixture()
    const file = await putFile(node, 'x')
    const slot = await slotName('name')
    const twice = await putShard(node, [
      { name: `${slot}name`, cid: file },
      { name: slot, cid: await putShard(node, []) }
    ])
    const mixed = await putShard(node, [{ name: slot, cid: await putShard(node, [], 16n) }])
    const shapes = [
      twice,
      mixed,
      await putShard(node, [], 7n),
      await putShard(node, [], 4096n),
      await putShard(node, [{ name: 'zz', cid: file }]),
      await putShard(node, [{ name: '0', cid: file }])
    ]
    for (const cid of shapes) {
      await assert.rejects(Array.fromAsync(node.content.list(cid, '')), { code: 'ERR_DAG_MALFORMED' })
    }
  })

  it('that never end in an entry end at the depth of the hash', async () => {
    await using node = await startFixture()
    let cid = await putShard(node, [])
    for (let level = 11; level >= 0; level--) {
      const slot = level < 8 ? await slotName('x', level) : '00'
      cid = await putShard(node, [{ name: slot, cid }])
    }
    await assert.rejects(node.content.read(cid, 'x', { bytesMax: 9 }), { code: 'ERR_DAG_MALFORMED' })
  })
})

describe('blocks that are no UnixFS', () => {
  for (const [name, codec, bytes, code] of [
    ['garbage', DAG_PB_CODEC, utf8('garbage'), 'ERR_DAG_MALFORMED'],
    ['dag-pb without data', DAG_PB_CODEC, dagPb.encode({ Links: [] }), 'ERR_DAG_MALFORMED'],
    [
      'dag-pb around something else',
      DAG_PB_CODEC,
      dagPb.encode({ Data: utf8('abc'), Links: [] }),
      'ERR_DAG_MALFORMED'
    ],
    ['metadata', DAG_PB_CODEC, dagPb.encode({ Data: Uint8Array.of(8, 3), Links: [] }), 'ERR_DAG_MALFORMED'],
    ['data', DAG_CBOR_CODEC, Uint8Array.of(0xa0), 'ERR_NOT_A_FILE']
  ] as const) {
    it(`are refused: ${name}`, () => {
      assert.throws(() => decodeUnixfs(cidOf(codec, bytes), bytes), { code })
    })
  }

  it('of DAG-CBOR nested without end end a pin with a code', async () => {
    const nested = new Uint8Array(500_000).fill(0x81)
    nested[nested.length - 1] = 0xf6
    await using source = await startFixture()
    const cid = cidOf(DAG_CBOR_CODEC, nested)
    await source.store.put(cid, nested)
    const peer = { store: source.store, mayServe: async () => await Promise.resolve(true) }
    await using node = await startFixture({ exchange: fakeExchange([peer]) })
    await assert.rejects(node.content.pin(cid), { code: 'ERR_DAG_MALFORMED' })
  })
})

describe('a walk', () => {
  it('comes in depth-first order however late blocks arrive, and never fetches beyond its bound', async () => {
    const children = new Map([
      ['root', ['a', 'b', 'c']],
      ['a', ['a1', 'a2']],
      ['b', ['b1', 'b2', 'b3', 'b4']]
    ])
    let running = 0
    let most = 0
    const cid = cidOf(RAW_CODEC, utf8(''))
    const order: string[] = []
    const walk = traverse([{ cid, name: 'root' }], {
      aheadMax: 3,
      fetch: async ({ name }) => {
        most = Math.max(most, ++running)
        for (let turn = name.length * (name.charCodeAt(0) % 3); turn >= 0; turn--) await Promise.resolve()
        running--
        return utf8(name)
      },
      expand: ({ name }) => (children.get(name) ?? []).map((below) => ({ cid, name: below }))
    })
    for await (const { step, bytes } of walk) {
      assert.equal(Buffer.from(bytes).toString(), step.name)
      order.push(step.name)
    }
    assert.deepEqual(order, ['root', 'a', 'a1', 'a2', 'b', 'b1', 'b2', 'b3', 'b4', 'c'])
    assert.ok(most <= 4, String(most))
  })

  it('fetches the first of many before it asks what the others are, and the others soon where that takes long', async () => {
    const cid = cidOf(RAW_CODEC, utf8(''))
    for (const isQuick of [true, false]) {
      const clock = createVirtualClock()
      const seen: string[] = []
      const first = Promise.withResolvers<Uint8Array>()
      const walk = traverse([{ cid, name: 'root' }], {
        ...{ aheadMax: 3, clock },
        fetch: async ({ name }) => {
          seen.push(name)
          return name === 'first' ? await first.promise : await Promise.resolve(utf8(name))
        },
        expand: ({ name }) => {
          if (name !== 'root') return []
          const others = (): { cid: typeof cid; name: string }[] => {
            seen.push('known')
            return ['second', 'third', 'fourth'].map((other) => ({ cid, name: other }))
          }
          return { first: { cid, name: 'first' }, others }
        }
      })
      const passed = Array.fromAsync(walk, ({ step }) => step.name)
      await clock.settle()
      assert.deepEqual(seen, ['root', 'first'])
      if (!isQuick) {
        await clock.advance(LATE_STEPS_AFTER_MS)
        assert.deepEqual(seen, ['root', 'first', 'known', 'second', 'third'])
      }
      first.resolve(utf8('first'))
      assert.deepEqual(await passed, ['root', 'first', 'second', 'third', 'fourth'])
      assert.equal(seen.filter((name) => name === 'known').length, 1)
      assert.equal(clock.pendingCount(), 0)
    }
  })

  it('asks for a block that comes many times once', async () => {
    await using source = await startFixture()
    const zeros = new Uint8Array(40 * 1024 * 1024)
    const { cid } = await source.content.addFiles([{ path: 'zeros', content: zeros }])
    const exchange = fakeExchange([source.peer])
    await using node = await startFixture({ exchange })
    const read = await node.content.read(cid, 'zeros', { bytesMax: zeros.length })
    assert.equal(Buffer.compare(read, zeros), 0)
    assert.equal(exchange.fetched.length, 3)
  })

  it('of a DAG whose parts are shared a million times costs its blocks, not its paths', async () => {
    await using node = await startFixture()
    let cid = cidOf(RAW_CODEC, bytesOf(8))
    await node.store.put(cid, bytesOf(8))
    for (let level = 0; level < 60; level++) {
      const bytes = dagPb.encode({
        Data: utf8(String(level)),
        Links: [
          { Name: '', Tsize: 0, Hash: cid },
          { Name: '', Tsize: 0, Hash: cid }
        ]
      })
      cid = cidOf(DAG_PB_CODEC, bytes)
      await node.store.put(cid, bytes)
    }
    const { pin } = await node.content.pin(cid)
    assert.equal(pin.isPublic, true)
    assert.equal(await node.content.mayServe(cidOf(RAW_CODEC, bytesOf(8)), 'x'), true)
  })
})
