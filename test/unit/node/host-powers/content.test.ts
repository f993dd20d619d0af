import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { MemoryDatastore } from 'datastore-core'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createMemoryBlockStore, startContent, type Content } from '#content'
import type { ProviderRequest } from '#capsule-host'
import { createContentPower } from '../../../../node/host-powers/content.ts'

const MIB = 1024 * 1024

async function startMemoryContent(): Promise<Content> {
  return await startContent({
    routing: 'off',
    datastore: new MemoryDatastore(),
    blocks: createMemoryBlockStore(),
    isDenied: () => false,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  })
}

describe('ranges of a file', () => {
  it('are what the whole has there, and need only the blocks that hold them', async () => {
    await using content = await startMemoryContent()
    const bytes = randomBytes(3 * MIB + 7)
    const { cid } = await content.addFiles([{ path: 'folder/file', content: bytes }])
    for (const [offset, length] of [
      [0, 1],
      [0, bytes.length],
      [MIB - 1, 2],
      [MIB, MIB],
      [2 * MIB + 5, 5 * MIB],
      [bytes.length - 1, 9],
      [bytes.length, 9],
      [9 * MIB, 9],
      [5, 0]
    ] as const) {
      const range = { offset, length }
      const read = await content.read(cid, 'folder/file', { bytesMax: 4 * MIB, range })
      assert.equal(Buffer.compare(read, bytes.subarray(offset, offset + length)), 0, `${offset} ${length}`)
    }
    const range = { offset: 0, length: 11 }
    await assert.rejects(content.read(cid, 'folder/file', { bytesMax: 10, range }), {
      code: 'ERR_CONTENT_TOO_LARGE'
    })
  })
})

describe('the power over content', () => {
  it('hands over a large file piece by piece', async () => {
    await using content = await startMemoryContent()
    // More than one window, and one that ends where a window does.
    for (const length of [17 * MIB + 3, 8 * MIB, 5]) {
      const bytes = randomBytes(length)
      const { cid } = await content.addFiles([{ path: 'file', content: bytes }])
      const power = createContentPower({ content, clock: systemClock })
      const { signal } = new AbortController()
      const pieces: Buffer[] = []
      let offset = 0
      for (let isEnd = false; !isEnd;) {
        const params = { cid: cid.toString(), path: 'file', offset }
        const request = { command: 'content/get', params, sessionId: 's', sessionSignal: signal, signal }
        const answer = (await power.provider.call(request as unknown as ProviderRequest)) as {
          data: string
          isEnd: boolean
        }
        const piece = Buffer.from(answer.data, 'base64')
        assert.ok(piece.length > 0)
        pieces.push(piece)
        offset += piece.length
        isEnd = answer.isEnd
      }
      assert.equal(Buffer.compare(Buffer.concat(pieces), bytes), 0)
    }
  })
})
