import assert from 'node:assert/strict'
import type { ExchangeRequest, Host } from '#dht'
import { startTestHost } from './hosts.ts'

const PROTOCOL = '/elastos/echo/1.0.0'

describe('exchange of one request and one answer', () => {
  let server: Host
  let client: Host

  before(async () => {
    server = await startTestHost()
    client = await startTestHost()
    await client.connect(server.addresses()[0] ?? '')
  })

  after(async () => {
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it('carries bytes both ways and proves who asks', async () => {
    const requests: ExchangeRequest[] = []
    await using _serving = await server.exchange.serve(PROTOCOL, (request) => {
      requests.push(request)
      return Uint8Array.from(request.bytes).reverse()
    })
    const answer = await client.exchange.request(server.peerId, PROTOCOL, Uint8Array.of(1, 2, 3))
    assert.deepEqual([...answer], [3, 2, 1])
    assert.equal(requests[0]?.peerId, client.peerId)
    const empty = await client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(0))
    assert.equal(empty.length, 0)
  })

  it('refuses an answer larger than was agreed', async () => {
    await using _serving = await server.exchange.serve(PROTOCOL, () => new Uint8Array(2_000_000))
    const asked = client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(1), {
      responseBytesMax: 1_000
    })
    await assert.rejects(asked, { code: 'ERR_MESSAGE_TOO_LARGE' })
  })

  it('resets a request larger than the server takes, without showing it to the handler', async () => {
    let handled = 0
    const handler = ({ bytes }: ExchangeRequest): Uint8Array => {
      handled += 1
      return bytes
    }
    await using _serving = await server.exchange.serve(PROTOCOL, handler, { requestBytesMax: 1_000 })
    const asked = client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(100_000))
    await assert.rejects(asked, { code: 'ERR_REQUEST_FAILED' })
    assert.equal(handled, 0)
  })

  it('tells a failing handler from an answer, and an unknown protocol too', async () => {
    await using _serving = await server.exchange.serve(PROTOCOL, () => {
      throw new Error('a secret of the server')
    })
    const asked = client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(1))
    await assert.rejects(asked, (error: Error) => !error.message.includes('secret'))
    const unknown = client.exchange.request(server.peerId, '/elastos/unknown/1', new Uint8Array(1))
    await assert.rejects(unknown, { code: 'ERR_REQUEST_FAILED' })
  })

  it('ends when the caller gives up and when serving is disposed', async () => {
    const asked = Promise.withResolvers<ExchangeRequest>()
    const never = new Promise<Uint8Array>(() => undefined)
    {
      await using _serving = await server.exchange.serve(PROTOCOL, async (request) => {
        asked.resolve(request)
        return await never
      })
      const controller = new AbortController()
      const { signal } = controller
      const pending = client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(1), { signal })
      const request = await asked.promise
      const reason = new Error('enough')
      controller.abort(reason)
      await assert.rejects(pending, reason)
      assert.equal(request.signal.aborted, false)
    }
    assert.equal((await asked.promise).signal.aborted, true)
    const late = client.exchange.request(server.peerId, PROTOCOL, new Uint8Array(1))
    await assert.rejects(late, { code: 'ERR_REQUEST_FAILED' })
  })
})
