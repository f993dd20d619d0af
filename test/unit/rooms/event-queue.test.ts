import assert from 'node:assert/strict'
import { createEventQueue, type EventQueue } from '../../../rooms/event-queue.ts'

function setUp(onReturn?: () => void): EventQueue<string> {
  return createEventQueue<string>({
    itemsMax: 3,
    onDropped: (count) => `${count} missing`,
    ...(onReturn === undefined ? {} : { onReturn })
  })
}

describe('an event queue', () => {
  it('gives what was pushed in order and ends when closed', async () => {
    const queue = setUp()
    queue.push('a')
    queue.push('b')
    queue.close()
    queue.push('late')
    assert.deepEqual(await Array.fromAsync(queue), ['a', 'b'])
  })

  it('drops the oldest for a slow consumer and says how many are missing', async () => {
    const queue = setUp()
    for (const item of ['a', 'b', 'c', 'd', 'e']) queue.push(item)
    queue.close()
    assert.deepEqual(await Array.fromAsync(queue), ['2 missing', 'c', 'd', 'e'])
  })

  it('wakes a waiting consumer, for an item and for the end', async () => {
    const queue = setUp()
    const iterator = queue[Symbol.asyncIterator]()
    const first = iterator.next()
    queue.push('a')
    assert.deepEqual(await first, { done: false, value: 'a' })
    const second = iterator.next()
    queue.close()
    assert.equal((await second).done, true)
  })

  it('lets go of a consumer that stops reading, even one that never began', async () => {
    let returns = 0
    const queue = setUp(() => returns++)
    await queue[Symbol.asyncIterator]().return?.()
    assert.equal(returns, 1)
    const other = setUp(() => returns++)
    other.push('a')
    for await (const item of other) {
      assert.equal(item, 'a')
      break
    }
    assert.equal(returns, 2)
  })
})
