import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHttpPower } from '../../../../node/host-powers/http.ts'
import { systemWeb, type Web, type WebAnswer, type WebRequest } from '../../../../node/host-powers/powers.ts'
import { drained, powerRequest } from '../../../support/power-requests.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const PUBLIC = '93.184.215.14'

/** A web of names and one answer, which notes what was asked of it. */
class FakeWeb implements Web {
  readonly names: Record<string, readonly string[]> = { 'site.example': [PUBLIC] }
  readonly asked: WebRequest[] = []
  resolved = 0
  answer: (request: WebRequest) => Promise<WebAnswer> = async () => ({
    status: 200,
    headers: [],
    body: pieces('hello')
  })

  async resolve(name: string): Promise<readonly string[]> {
    this.resolved++
    const addresses = this.names[name]
    if (addresses === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    return await Promise.resolve(addresses)
  }

  async request(request: WebRequest): Promise<WebAnswer> {
    this.asked.push(request)
    return await this.answer(request)
  }
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text))
}

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

interface Lab {
  readonly web: FakeWeb
  readonly clock: VirtualClock
  readonly get: (
    params: object,
    more?: Parameters<typeof powerRequest>[2]
  ) => Promise<{ items: unknown[]; code: string | undefined }>
}

function openLab(): Lab {
  const web = new FakeWeb()
  const clock = createVirtualClock()
  const { provider } = createHttpPower({ web, clock })
  return {
    web,
    clock,
    get: async (params, more) => {
      const request = powerRequest(
        'http/get',
        { url: 'http://site.example/', bytesMax: 1000, ...params },
        more
      )
      return await drained(provider.open(request, pieces()))
    }
  }
}

describe('the power to use the web', () => {
  it('connects to the address that was checked, and resolves a name once', async () => {
    const { web, get } = openLab()
    const { code } = await get({})
    assert.equal(code, undefined)
    assert.equal(web.resolved, 1)
    assert.deepEqual(
      web.asked.map(({ address, method }) => [address, method]),
      [[PUBLIC, 'GET']]
    )
  })

  it('refuses a name when any of its addresses is not public, before anything is sent', async () => {
    const { web, get } = openLab()
    for (const addresses of [
      ['127.0.0.1'],
      [PUBLIC, '10.0.0.1'],
      ['::1'],
      [PUBLIC, 'fe80::1'],
      ['169.254.169.254'],
      []
    ]) {
      web.names['site.example'] = addresses
      assert.deepEqual(await get({}), { items: [], code: 'ERR_HTTP_ADDRESS' })
    }
    assert.equal(web.asked.length, 0)
  })

  it('refuses a name that was public the first time and is not the second', async () => {
    const { web, get } = openLab()
    assert.equal((await get({})).code, undefined)
    web.names['site.example'] = ['192.168.0.1']
    assert.equal((await get({})).code, 'ERR_HTTP_ADDRESS')
    assert.equal(web.asked.length, 1)
  })

  it('does not look up addresses, and refuses those that are not public however they are written', async () => {
    const { web, get } = openLab()
    for (const url of [
      'http://127.0.0.1/',
      'http://2130706433/',
      'http://[::1]/',
      'http://[::ffff:10.0.0.1]/',
      'http://0/'
    ]) {
      assert.equal((await get({ url: new URL(url).href })).code, 'ERR_HTTP_ADDRESS', url)
    }
    assert.equal(web.resolved, 0)
  })

  it('refuses headers that are the connection’s, and hands on none that could not be', async () => {
    const { web, get } = openLab()
    for (const name of [
      'host',
      'connection',
      'content-length',
      'transfer-encoding',
      'upgrade',
      'proxy-anything'
    ]) {
      assert.equal((await get({ headers: [[name, 'x']] })).code, 'ERR_HTTP_ANSWER', name)
    }
    assert.equal(web.asked.length, 0)
    web.answer = async () => ({
      status: 200,
      headers: [
        ['X-Good', 'yes'],
        ['x bad', 'no'],
        ['x-bad', 'no\u0007'],
        ['x-long', 'x'.repeat(5000)]
      ],
      body: pieces()
    })
    const { items } = await get({})
    assert.deepEqual(items, [{ type: 'head', status: 200, headers: [['x-good', 'yes']] }])
  })

  it('ends an answer that is larger than its caller takes', async () => {
    const { web, get } = openLab()
    web.answer = async () => ({ status: 200, headers: [], body: pieces('x'.repeat(600), 'x'.repeat(401)) })
    const { items, code } = await get({})
    assert.equal(code, 'ERR_HTTP_TOO_LARGE')
    assert.equal(items.length, 2)
  })

  it('gives up an answer that does not begin, stops in the middle, or never ends', async () => {
    for (const answer of [
      async ({ signal }: WebRequest) => await never(signal),
      async ({ signal }: WebRequest) => {
        async function* stalling(): AsyncGenerator<Uint8Array> {
          yield Buffer.from('a')
          await never(signal)
        }
        return await Promise.resolve({ status: 200, headers: [], body: stalling() })
      }
    ]) {
      const { web, clock, get } = openLab()
      web.answer = answer
      const outcome = get({})
      await clock.advance(60_000)
      assert.equal((await outcome).code, 'ERR_HTTP_TIME_LIMIT')
      assert.equal(clock.pendingCount(), 0)
    }
  })

  it('ends the request when nobody wants the answer any more', async () => {
    const { web, clock, get } = openLab()
    let hasEnded = false
    web.answer = async ({ signal }) => {
      signal.addEventListener('abort', () => (hasEnded = true), { once: true })
      return await never(signal)
    }
    const gone = new AbortController()
    const outcome = get({}, { signal: gone.signal })
    await clock.settle()
    gone.abort(new Error('gone'))
    await outcome
    assert.equal(hasEnded, true)
    assert.equal(clock.pendingCount(), 0)
  })

  it('bounds what one capsule has under way, and not what others have', async () => {
    const { web, clock, get } = openLab()
    const gone = new AbortController()
    web.answer = async ({ signal }) => await never(signal)
    const held = Array.from({ length: 8 }, () => get({}, { signal: gone.signal }))
    await clock.settle()
    assert.equal((await get({})).code, 'ERR_HTTP_BUSY')
    web.answer = async () => ({ status: 204, headers: [], body: pieces() })
    assert.equal((await get({}, { sessionId: 'another' })).code, undefined)
    gone.abort(new Error('gone'))
    await Promise.all(held)
    assert.equal((await get({})).code, undefined)
  })

  it('says that a name or a host is not there, and nothing else of why', async () => {
    const { web, get } = openLab()
    assert.equal((await get({ url: 'http://nowhere.example/' })).code, 'ERR_HTTP_UNREACHABLE')
    web.answer = async () =>
      await Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    assert.equal((await get({})).code, 'ERR_HTTP_UNREACHABLE')
  })
})

describe('the system’s web', () => {
  let server: Server
  let port: number
  before(async () => {
    server = createServer((request, response) => {
      response.setHeader('x-host', request.headers.host ?? '')
      response.end(request.method)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    port = (server.address() as AddressInfo).port
  })
  after(async () => {
    await new Promise((closed) => server.close(closed))
  })

  it('connects to the address it is told, whatever the name resolves to, and names the host it was asked for', async () => {
    const answer = await systemWeb.request({
      url: new URL(`http://no-such-name.invalid:${port}/`),
      method: 'PUT',
      headers: [],
      body: undefined,
      address: '127.0.0.1',
      signal: new AbortController().signal
    })
    const body = []
    for await (const piece of answer.body) body.push(piece)
    assert.equal(Buffer.concat(body).toString(), 'PUT')
    const host = answer.headers.find(([name]) => name.toLowerCase() === 'x-host')
    assert.equal(host?.[1], `no-such-name.invalid:${port}`)
  })
})
