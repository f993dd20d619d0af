import assert from 'node:assert/strict'
import type { Caller, ProviderLab, StreamOutcome } from '../support/provider-lab.ts'
import { SITE, SITE_ORIGIN } from './http-site.ts'

/** What callers of the suite need. */
export const HTTP_CEILING: readonly { readonly command: string; readonly resource: string }[] = [
  { command: 'http/*', resource: `${SITE_ORIGIN}/*` },
  { command: 'http/*', resource: 'http://127.0.0.1/*' },
  { command: 'http/*', resource: 'http://169.254.169.254/*' }
]

function bodyOf({ items }: StreamOutcome): string {
  return Buffer.concat(items.slice(1).map(({ data }) => Buffer.from(String(data), 'base64'))).toString()
}

/** Every provider of `http@1` passes this. */
export function httpContract(name: string, open: () => Promise<ProviderLab>): void {
  describe(`http@1: ${name}`, function () {
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

    it('gives the head of an answer, then its body', async () => {
      const answer = await caller.open('http/get', { url: `${SITE_ORIGIN}/hello`, bytesMax: 100 })
      assert.equal(answer.code, undefined)
      const [head] = answer.items
      assert.equal(head?.['type'], 'head')
      assert.equal(head['status'], 200)
      assert.ok(
        (head['headers'] as [string, string][]).some(([key, value]) => key === 'x-site' && value === 'ours')
      )
      assert.equal(bodyOf(answer), 'hello')
    })

    it('gives long bodies whole, and not more than the caller takes', async () => {
      const url = `${SITE_ORIGIN}/long`
      assert.equal(bodyOf(await caller.open('http/get', { url, bytesMax: 100_000 })), SITE['/long']?.body)
      const cut = await caller.open('http/get', { url, bytesMax: 99_999 })
      assert.equal(cut.code, 'ERR_HTTP_TOO_LARGE')
    })

    it('uses the method of the command and sends what it is given', async () => {
      for (const verb of ['post', 'put', 'patch']) {
        const data = Buffer.from('sent').toString('base64')
        const answer = await caller.open(`http/${verb}`, { url: `${SITE_ORIGIN}/echo`, bytesMax: 100, data })
        assert.equal(bodyOf(answer), `${verb.toUpperCase()} sent`)
      }
      const deleted = await caller.open('http/delete', { url: `${SITE_ORIGIN}/echo`, bytesMax: 100 })
      assert.equal(bodyOf(deleted), 'DELETE ')
      const head = await caller.open('http/head', { url: `${SITE_ORIGIN}/hello`, bytesMax: 100 })
      assert.equal(head.items[0]?.['status'], 200)
      assert.equal(bodyOf(head), '')
    })

    it('hands on what is missing and what has moved, and follows nothing', async () => {
      const absent = await caller.open('http/get', { url: `${SITE_ORIGIN}/absent`, bytesMax: 100 })
      assert.equal(absent.items[0]?.['status'], 404)
      const moved = await caller.open('http/get', { url: `${SITE_ORIGIN}/moved`, bytesMax: 100 })
      assert.equal(moved.items[0]?.['status'], 302)
      assert.equal(bodyOf(moved), '')
    })

    it('never reaches this machine or its network', async () => {
      for (const host of ['127.0.0.1', '169.254.169.254']) {
        const answer = await caller.open('http/get', { url: `http://${host}/secret`, bytesMax: 100 })
        assert.deepEqual(answer, { items: [], code: 'ERR_HTTP_ADDRESS' })
      }
    })
  })
}
