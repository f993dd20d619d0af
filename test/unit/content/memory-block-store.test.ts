import { createMemoryBlockStore } from '../../../content/memory-block-store.ts'
import { describeBlockStore } from '../../contract/block-store.ts'

describeBlockStore('memory', async () => {
  const store = createMemoryBlockStore()
  return await Promise.resolve({
    store,
    [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose]()
  })
})
