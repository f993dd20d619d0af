import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  createMetrics,
  fetchBootstrapRecord,
  openBootstrapRecord,
  startSeedServer,
  systemBootstrapPowers,
  type SeedServer,
  type SeedServerInit
} from '#bootstrap'
import { silentLogger, systemClock } from '#contracts'
import { keyPairFromSeed, peerIdFromDid } from '#did'
import { closed, closeOf, talk } from './raw-sockets.ts'

const NETWORK = '/elastos/kad/1.0.0'
const signer = keyPairFromSeed(new Uint8Array(32).fill(1))
const address = `/ip4/127.0.0.1/tcp/4001/p2p/${peerIdFromDid(signer.did)}`
const client = { powers: systemBootstrapPowers, clock: systemClock }

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function ask(
  port: number,
  target: string,
  options: { method?: string; host?: string } = {}
): Promise<Answer> {
  const headers = options.host === undefined ? {} : { host: options.host }
  const asked = httpRequest({
    host: '127.0.0.1',
    port,
    path: target,
    method: options.method ?? 'GET',
    agent: false,
    headers
  })
  asked.end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

describe('a seed server', () => {
  let addresses: string[]

  beforeEach(() => {
    addresses = [address]
  })

  async function start(init: Partial<SeedServerInit> = {}): Promise<SeedServer> {
    return await startSeedServer(
      {
        host: { addresses: () => addresses },
        signer,
        clock: systemClock,
        logger: silentLogger,
        metrics: createMetrics(),
        powers: systemBootstrapPowers
      },
      { network: NETWORK, httpHost: '127.0.0.1', httpPort: 0, metricsPort: 0, ...init }
    )
  }

  it('gives its signed record to whoever asks, pinned or not', async () => {
    await using seed = await start()
    const record = await fetchBootstrapRecord(
      client,
      { url: seed.url, pin: signer.did },
      { network: NETWORK }
    )
    assert.equal(record.did, signer.did)
    assert.deepEqual(record.addresses, [address])
    assert.equal(seed.pinnedUrl, `${seed.url}#${signer.did}`)
    assert.equal(
      (await fetchBootstrapRecord(client, { url: seed.url }, { network: NETWORK })).did,
      signer.did
    )
    const pin = keyPairFromSeed(new Uint8Array(32)).did
    await assert.rejects(fetchBootstrapRecord(client, { url: seed.url, pin }, { network: NETWORK }), {
      code: 'ERR_SEED_SIGNER'
    })
  })

  it('follows the addresses of its node, and has no record while there are none', async () => {
    await using seed = await start()
    const asked = async (): Promise<readonly string[]> =>
      (await fetchBootstrapRecord(client, { url: seed.url }, { network: NETWORK })).addresses
    assert.deepEqual(await asked(), [address])
    addresses = [address.replace('4001', '4002')]
    assert.deepEqual(await asked(), addresses)
    addresses = []
    await assert.rejects(asked(), { code: 'ERR_SEED_ANSWER', message: /503/ })
    addresses = Array.from({ length: 40 }, (_, i) => address.replace('4001', String(i + 1)))
    assert.equal((await asked()).length, 16)
  })

  it('shows itself to people', async () => {
    await using seed = await start()
    const index = await ask(seed.httpPort, '/')
    assert.equal(index.status, 200)
    assert.ok(index.body.includes(signer.did))
    const json = await ask(seed.httpPort, '/bootstrap.json')
    assert.equal(json.headers['content-type'], 'application/json')
    const { did, network, addresses: told } = JSON.parse(json.body) as Record<string, unknown>
    assert.deepEqual({ did, network, told }, { did: signer.did, network: NETWORK, told: [address] })
    const head = await ask(seed.httpPort, '/bootstrap', { method: 'HEAD' })
    assert.deepEqual([head.status, head.body], [200, ''])
  })

  it('answers nothing else', async () => {
    await using seed = await start()
    assert.equal((await ask(seed.httpPort, '/etc/passwd')).status, 404)
    assert.equal((await ask(seed.httpPort, '/bootstrap?x=1')).status, 404)
    assert.equal((await ask(seed.httpPort, '/metrics')).status, 404, 'metrics are on loopback alone')
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      assert.equal((await ask(seed.httpPort, '/bootstrap', { method })).status, 405, method)
    }
    const { httpPort } = seed
    assert.match(
      await talk(httpPort, 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello'),
      /^HTTP\/1\.1 413 /
    )
    assert.match(await talk(httpPort, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.match(await talk(httpPort, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
    assert.match(
      await talk(httpPort, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`),
      /^HTTP\/1\.1 4\d\d /
    )
    assert.equal(await talk(httpPort, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'), '')
    const two = await talk(httpPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(two.match(/HTTP\/1\.1 200/g)?.length, 1, 'one request a connection')
    assert.equal((await ask(httpPort, '/')).status, 200)
  })

  it('counts what it answers, on loopback and for this host alone', async () => {
    await using seed = await start()
    await ask(seed.httpPort, '/bootstrap')
    await ask(seed.httpPort, '/nothing')
    const metrics = await ask(seed.metricsPort, '/metrics')
    assert.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    assert.match(metrics.body, /^elastos_seed_http_requests_total\{status="200"\} 1$/m)
    assert.match(metrics.body, /^elastos_seed_http_requests_total\{status="404"\} 1$/m)
    assert.equal((await ask(seed.metricsPort, '/')).status, 404)
    assert.equal((await ask(seed.metricsPort, '/metrics', { host: 'rebound.example' })).status, 403)
    assert.equal((await ask(seed.metricsPort, '/metrics', { host: 'localhost:1' })).status, 200)
    assert.equal((await ask(seed.metricsPort, '/metrics', { method: 'POST' })).status, 405)
  })

  it('closes connections over the limit and says so in its metrics', async () => {
    const metrics = createMetrics()
    let isAllowed = true
    const powers = {
      ...systemBootstrapPowers,
      // Loopback is never limited, so the test stands between the socket and the limiter.
      listenHttp: (init: Parameters<typeof systemBootstrapPowers.listenHttp>[0]) =>
        systemBootstrapPowers.listenHttp({
          ...init,
          allow: () => init.allow(isAllowed ? '127.0.0.1' : '192.0.2.1', [])
        })
    }
    const components = {
      host: { addresses: () => addresses },
      signer,
      clock: systemClock,
      logger: silentLogger,
      metrics,
      powers
    }
    const addressLimits = { connectionsMax: 1, burstMax: 0, perSecond: 0, addressesMax: 1 }
    await using seed = await startSeedServer(components, {
      network: NETWORK,
      httpHost: '127.0.0.1',
      httpPort: 0,
      metricsPort: 0,
      addressLimits
    })
    assert.equal((await ask(seed.httpPort, '/')).status, 200)
    isAllowed = false
    await assert.rejects(ask(seed.httpPort, '/'), { code: 'ECONNRESET' })
    assert.match(metrics.text(), /^elastos_seed_http_connections_refused_total 1$/m)
  })

  it('stops at once though connections hang, and leaves its ports free', async () => {
    const seed = await start()
    const sockets = Array.from({ length: 5 }, () => connect(seed.httpPort, '127.0.0.1'))
    const ends = sockets.map(closeOf)
    sockets[0]?.write('GET /boot')
    await Promise.all(sockets.map((socket) => once(socket, 'connect') as Promise<unknown>))
    await seed[Symbol.asyncDispose]()
    await Promise.all(ends)
    await using again = await start({ httpPort: seed.httpPort, metricsPort: seed.metricsPort })
    assert.equal(again.httpPort, seed.httpPort)
  })

  it('says which port is taken, and leaves nothing half started', async () => {
    await using seed = await start()
    await assert.rejects(start({ httpPort: seed.httpPort }), {
      code: 'ERR_SEED_LISTEN',
      message: new RegExp(`port ${seed.httpPort}: EADDRINUSE`)
    })
    const free = createTcpServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    await closed(free)
    await assert.rejects(start({ httpPort: port, metricsPort: seed.metricsPort }), {
      code: 'ERR_SEED_LISTEN'
    })
    await using second = await start({ httpPort: port })
    assert.equal(second.httpPort, port, 'the first listener was closed when the second could not be had')
  })

  it('takes a free port when the usual one is taken, and says so', async () => {
    // Whoever holds the usual ports, this test or another program, a third seed finds them taken.
    const ports = (seed: SeedServer): number[] => [seed.httpPort, seed.metricsPort]
    const usual = { network: NETWORK, httpHost: '127.0.0.1' }
    const components = {
      host: { addresses: () => addresses },
      signer,
      clock: systemClock,
      logger: silentLogger,
      powers: systemBootstrapPowers
    }
    await using _first = await startSeedServer({ ...components, metrics: createMetrics() }, usual)
    await using second = await startSeedServer({ ...components, metrics: createMetrics() }, usual)
    assert.deepEqual(second.occupiedPorts, [4480, 4481])
    assert.ok(ports(second).every((port) => port !== 4480 && port !== 4481))
    assert.equal(
      (await fetchBootstrapRecord(client, { url: second.url }, { network: NETWORK })).did,
      signer.did
    )
  })

  it('listens on IPv6 too', async function () {
    const probe = createTcpServer()
    const isThere = await new Promise<boolean>((resolve) => {
      probe.once('error', () => {
        resolve(false)
      })
      probe.listen(0, '::1', () => {
        resolve(true)
      })
    })
    if (!isThere) this.skip()
    await closed(probe)
    await using seed = await start({ httpHost: '::1' })
    assert.match(seed.url, /^http:\/\/\[::1\]:\d+$/)
    assert.equal(
      (await fetchBootstrapRecord(client, { url: seed.url }, { network: NETWORK })).did,
      signer.did
    )
  })

  it('that listens everywhere is named by an address that others can use', async () => {
    await using seed = await start({ httpHost: '0.0.0.0' })
    const end = `/p2p/${peerIdFromDid(signer.did)}`
    addresses = [
      `/ip4/192.0.2.1/tcp/1/p2p/12D3KooWx/p2p-circuit${end}`,
      `/dns4/seed.example/tcp/4001${end}`,
      address
    ]
    assert.equal(seed.pinnedUrl, `http://seed.example:${seed.httpPort}#${signer.did}`)
    addresses = [`/ip6/2001:db8::1/tcp/4001${end}`]
    assert.equal(seed.url, `http://[2001:db8::1]:${seed.httpPort}`)
    addresses = []
    assert.equal(seed.url, `http://0.0.0.0:${seed.httpPort}`)
  })

  it('signs what verifies byte for byte', async () => {
    await using seed = await start()
    const { status, bytes } = await systemBootstrapPowers.getHttp({
      url: `${seed.url}/bootstrap`,
      bytesMax: 12_288,
      signal: new AbortController().signal
    })
    assert.equal(status, 200)
    assert.equal(openBootstrapRecord(bytes, { network: NETWORK, nowMs: Date.now() }).did, signer.did)
  })
})

describe('the HTTP listener of a seed', () => {
  const limits = {
    connectionsMax: 2,
    headerBytesMax: 8192,
    headersMax: 32,
    headersTimeoutMs: 100,
    idleTimeoutMs: 60_000
  }
  const init = {
    host: '127.0.0.1',
    port: 0,
    limits,
    allow: () => true,
    answer: () => ({ status: 200, contentType: 'text/plain', body: 'here' })
  }

  it('does not wait for who sends a request slowly, or none at all', async () => {
    await using listener = await systemBootstrapPowers.listenHttp(init)
    const [slow, silent] = await Promise.all([
      talk(listener.port, 'GET / HTTP/1.1\r\nHo'),
      talk(listener.port, '')
    ])
    assert.doesNotMatch(slow + silent, /200/)
  })

  it('closes an idle connection', async () => {
    const idle = { ...limits, headersTimeoutMs: 60_000, idleTimeoutMs: 50 }
    await using listener = await systemBootstrapPowers.listenHttp({ ...init, limits: idle })
    assert.equal(await talk(listener.port, ''), '')
  })

  it('holds so many connections and no more', async () => {
    await using listener = await systemBootstrapPowers.listenHttp({
      ...init,
      limits: { ...limits, headersTimeoutMs: 60_000 }
    })
    const held = [connect(listener.port, '127.0.0.1'), connect(listener.port, '127.0.0.1')]
    const ends = held.map(closeOf)
    await Promise.all(held.map((socket) => once(socket, 'connect') as Promise<unknown>))
    assert.equal(await talk(listener.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), '')
    for (const socket of held) socket.destroy()
    await Promise.all(ends)
    let answer = ''
    // The server learns of the closed connections when their packets arrive.
    while (answer === '') answer = await talk(listener.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(answer, /^HTTP\/1\.1 200 [^]*here$/)
  })
})
