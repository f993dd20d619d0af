import assert from 'node:assert/strict'
import { createMemoryRoomStore, type RoomStore } from '#rooms'
import {
  MAILBOX_BOXES_MAX,
  MAILBOX_BOX_ITEMS_MAX,
  MAILBOX_BOX_PEER_ITEMS_MAX,
  MAILBOX_ITEM_BYTES_MAX,
  MAILBOX_ITEM_BYTES_MIN,
  MAILBOX_KEPT_MS,
  MAILBOX_PEER_BOXES_MAX,
  MAILBOX_PEER_BYTES_MAX
} from '../../../../rooms/constants.ts'
import { openShelf, type Shelf } from '../../../../rooms/mailbox/shelf.ts'

const NOW_MS = 1_800_000_000_000

const item = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))

async function put(
  shelf: Shelf,
  texts: readonly string[],
  { from = 'ann', box = 'aa' }: { readonly from?: string; readonly box?: string } = {}
): Promise<number> {
  return await shelf.put({ box, from, items: texts.map(item), nowMs: NOW_MS })
}

async function all(shelf: Shelf, box = 'aa', nowMs: number = NOW_MS): Promise<string[]> {
  const texts: string[] = []
  for (let after = 0; ;) {
    const { items, last, hasMore } = await shelf.take(box, after, nowMs)
    texts.push(...items.map((bytes) => Buffer.from(bytes).toString()))
    if (!hasMore) return texts
    after = last
  }
}

describe('what a peer keeps for others', () => {
  it('is given back in its order, from where one left off, and each once', async () => {
    const shelf = await openShelf(createMemoryRoomStore())
    assert.equal(await put(shelf, ['one', 'two']), 2)
    assert.equal(await put(shelf, ['two', 'three'], { from: 'bob' }), 2)
    assert.deepEqual(await all(shelf), ['one', 'two', 'three'])
    const { last } = await shelf.take('aa', 0, NOW_MS)
    await put(shelf, ['four'])
    const next = await shelf.take('aa', last, NOW_MS)
    assert.deepEqual(next.items, [item('four')])
    assert.deepEqual(await all(shelf, 'bb'), [])
  })

  it('is there after a restart, and given out whole over several answers', async () => {
    const store: RoomStore = createMemoryRoomStore()
    const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`)
    await put(await openShelf(store), texts)
    const again = await openShelf(store)
    assert.deepEqual(await all(again), texts)
    await put(again, ['later'])
    assert.equal((await all(again)).at(-1), 'later')
  })

  it('goes after seven days', async () => {
    const store = createMemoryRoomStore()
    const shelf = await openShelf(store)
    await put(shelf, ['old'])
    assert.deepEqual(await all(shelf, 'aa', NOW_MS + MAILBOX_KEPT_MS - 1), ['old'])
    assert.deepEqual(await all(shelf, 'aa', NOW_MS + MAILBOX_KEPT_MS), [])
    await shelf.expire(NOW_MS + MAILBOX_KEPT_MS)
    assert.equal(shelf.bytesCount, 0)
    assert.deepEqual(shelf.boxes(), [])
    assert.deepEqual(await Array.fromAsync(store.entries('')), [])
  })

  it('is no more than a depositor may have: its newest in one mailbox, and so many bytes in all', async () => {
    const shelf = await openShelf(createMemoryRoomStore())
    const count = MAILBOX_BOX_PEER_ITEMS_MAX + 10
    await put(
      shelf,
      Array.from({ length: count }, (_, index) => `text ${index}`)
    )
    const texts = await all(shelf)
    assert.equal(texts.length, MAILBOX_BOX_PEER_ITEMS_MAX)
    assert.equal(texts.at(-1), `text ${count - 1}`)
    const large = Array.from({ length: 100 }, (_, index) => String(index).padEnd(MAILBOX_ITEM_BYTES_MAX, 'x'))
    const kept = await put(shelf, large, { from: 'eve', box: 'bb' })
    assert.equal(kept, Math.floor(MAILBOX_PEER_BYTES_MAX / MAILBOX_ITEM_BYTES_MAX))
    assert.equal(await put(shelf, ['mine'], { from: 'bob', box: 'bb' }), 1)
  })

  it('is not pushed out of a mailbox by somebody who floods it', async () => {
    const shelf = await openShelf(createMemoryRoomStore())
    await put(shelf, ['precious'])
    const floods = Math.ceil(MAILBOX_BOX_ITEMS_MAX / MAILBOX_BOX_PEER_ITEMS_MAX) + 1
    for (let eve = 0; eve < floods; eve++) {
      const texts = Array.from({ length: MAILBOX_BOX_PEER_ITEMS_MAX }, (_, index) => `flood ${eve} ${index}`)
      await put(shelf, texts, { from: `eve ${eve}` })
    }
    const texts = await all(shelf)
    assert.equal(texts.length, MAILBOX_BOX_ITEMS_MAX)
    assert.equal(texts[0], 'precious')
  })

  it('is in no more mailboxes than are announced', async () => {
    const shelf = await openShelf(createMemoryRoomStore())
    for (let box = 0; box < MAILBOX_BOXES_MAX; box++) {
      assert.equal(await put(shelf, ['x'], { from: `peer ${box}`, box: `box${box}` }), 1)
    }
    assert.equal(await put(shelf, ['x'], { from: 'bob', box: 'one more' }), 0)
    assert.equal(await put(shelf, ['y'], { from: 'bob', box: 'box0' }), 1)
  })

  it('is not closed to others by one who opens many mailboxes', async () => {
    const store = createMemoryRoomStore()
    const shelf = await openShelf(store)
    const open = async (to: Shelf, box: string, from = 'eve'): Promise<number> =>
      await put(to, ['x'], { from, box })
    for (let box = 0; box < MAILBOX_PEER_BOXES_MAX; box++) assert.equal(await open(shelf, `box${box}`), 1)
    assert.equal(await open(shelf, 'one more'), 0)
    assert.equal(await put(shelf, ['y'], { from: 'eve', box: 'box0' }), 1)
    assert.equal(await open(shelf, 'of ann', 'ann'), 1)
    const again = await openShelf(store)
    assert.equal(await open(again, 'one more'), 0)
    assert.equal(await open(again, 'one more', 'bob'), 1)
  })

  it('counts the place that small items take', async () => {
    const shelf = await openShelf(createMemoryRoomStore())
    await put(shelf, ['x', 'y'])
    assert.equal(shelf.bytesCount, 2 * MAILBOX_ITEM_BYTES_MIN)
  })
  it('is not said to be kept when it did not come to the disk, not when it is brought again either', async () => {
    const store = createMemoryRoomStore()
    let isFull = true
    const write: RoomStore['write'] = async (changes) => {
      if (isFull) throw new Error('the disk is full')
      await store.write(changes)
    }
    const shelf = await openShelf({ ...store, write })
    for (let time = 0; time < 2; time++) await assert.rejects(put(shelf, ['one']), /the disk is full/)
    assert.deepEqual([shelf.boxes(), shelf.bytesCount, await all(shelf)], [[], 0, []])
    isFull = false
    assert.equal(await put(shelf, ['one']), 1)
    assert.deepEqual(await all(await openShelf(store)), ['one'])
  })
})
