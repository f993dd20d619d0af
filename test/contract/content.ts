import assert from 'node:assert/strict'
import type { Caller, ProviderLab } from '../support/provider-lab.ts'

/** What callers of the suite need. */
export const CONTENT_CEILING = [{ command: 'content/*', resource: 'elastos://content/*' }] as const

/** `hello world` as a raw leaf, as every IPFS node names it. */
const HELLO = {
  text: 'hello world',
  cid: 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
} as const

/** Every provider of `content@1` passes this. */
export function contentContract(name: string, open: () => Promise<ProviderLab>): void {
  describe(`content@1: ${name}`, function () {
    this.timeout(120_000)
    let lab: ProviderLab
    let caller: Caller
    before(async () => {
      lab = await open()
      caller = lab.caller
    })
    after(async () => {
      await lab[Symbol.asyncDispose]()
    })

    it('names what is added by its CID, public or not, and gives it back', async () => {
      const data = Buffer.from(HELLO.text).toString('base64')
      for (const verb of ['add', 'publish']) {
        assert.deepEqual(await caller.call(`content/${verb}`, { data, name: 'hello' }), { cid: HELLO.cid })
      }
      assert.deepEqual(await caller.call('content/get', { cid: HELLO.cid }), { data, isEnd: true })
      assert.deepEqual(await caller.call('content/stat', { cid: HELLO.cid }), {
        type: 'file',
        bytes: HELLO.text.length
      })
    })

    it('gives pieces, the last of which says so', async () => {
      const bytes = Buffer.alloc(20_000, 'elastos ')
      const { cid } = await caller.call('content/add', { data: bytes.toString('base64') })
      const pieces: Buffer[] = []
      for (let isEnd = false; !isEnd;) {
        const offset = Buffer.concat(pieces).length
        const piece = await caller.call('content/get', { cid, offset, length: 9000 })
        pieces.push(Buffer.from(String(piece['data']), 'base64'))
        isEnd = piece['isEnd'] === true
      }
      assert.equal(pieces.length, 3)
      assert.deepEqual(Buffer.concat(pieces), bytes)
      const beyond = await caller.call('content/get', { cid, offset: 50_000 })
      assert.deepEqual(beyond, { data: '', isEnd: true })
    })

    it('finds nothing inside a file', async () => {
      await assert.rejects(caller.call('content/get', { cid: HELLO.cid, path: 'a/b' }), {
        code: 'ERR_PATH_NOT_FOUND'
      })
    })
  })
}
