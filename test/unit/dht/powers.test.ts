import assert from 'node:assert/strict'
import { afterThisTurn } from '../../../dht/powers.ts'

describe('what is to come after this turn', () => {
  it('comes after the promises, also when the loop itself calls who asks for it', async () => {
    const order: string[] = []
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        afterThisTurn(() => {
          order.push('after')
          resolve()
        })
        void Promise.resolve()
          .then(() => order.push('first'))
          .then(() => order.push('second'))
      })
    })
    assert.deepEqual(order, ['first', 'second', 'after'])
  })

  it('comes before anything else happens', async () => {
    const order: string[] = []
    await Promise.resolve()
    afterThisTurn(() => order.push('after'))
    await new Promise<void>((resolve) => setImmediate(resolve))
    assert.deepEqual(order, ['after'])
  })
})
