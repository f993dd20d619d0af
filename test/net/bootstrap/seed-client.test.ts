import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { fetchBootstrapRecord, systemBootstrapPowers } from '#bootstrap'
import { systemClock } from '#contracts'

const NETWORK = '/elastos/kad/1.0.0'
const client = { powers: systemBootstrapPowers, clock: systemClock }

describe('asking what is no seed', () => {
  const servers: { close(): unknown; closeAllConnections?(): void }[] = []

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close()
      server.closeAllConnections?.()
    }
  })

  async function serve(answer: Parameters<typeof createServer>[1]): Promise<string> {
    const server = createServer(answer ?? (() => undefined)).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async function codeOf(url: string, timeoutMs = 5000): Promise<string> {
    const fetching = fetchBootstrapRecord(client, { url }, { network: NETWORK, timeoutMs })
    return await fetching.then(
      () => 'accepted',
      (thrown: unknown) => (thrown as { code: string }).code
    )
  }

  it('follows no redirect, not even to a real seed', async () => {
    let isAsked = false
    const target = await serve((_request, response) => {
      isAsked = true
      response.end()
    })
    const url = await serve((_request, response) =>
      response.writeHead(302, { Location: `${target}/bootstrap` }).end()
    )
    assert.equal(await codeOf(url), 'ERR_SEED_ANSWER')
    assert.equal(isAsked, false)
  })

  it('reads no more than a record can have, declared or not', async () => {
    const declared = await serve((_request, response) => response.end(Buffer.alloc(100_000)))
    assert.equal(await codeOf(declared), 'ERR_SEED_ANSWER')
    let sent = 0
    const endless = await serve((_request, response) => {
      const more = (): void => {
        sent += 65_536
        if (!response.destroyed && response.write(Buffer.alloc(65_536))) setImmediate(more)
      }
      response.on('drain', more)
      more()
    })
    assert.equal(await codeOf(endless), 'ERR_SEED_ANSWER')
    assert.ok(sent < 100_000_000)
  })

  it('takes no page, no other protocol and no silence for a record', async () => {
    assert.equal(
      await codeOf(await serve((_request, response) => response.end('<html></html>'))),
      'ERR_RECORD_INVALID'
    )
    assert.equal(await codeOf(await serve((request) => request.socket.destroy())), 'ERR_SEED_UNREACHABLE')
    assert.equal(await codeOf(await serve(() => undefined), 50), 'ERR_SEED_UNREACHABLE')
    const greeter = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.end('SSH-2.0-OpenSSH_9.6\r\n')
    }).listen(0, '127.0.0.1')
    servers.push(greeter)
    await once(greeter, 'listening')
    assert.equal(
      await codeOf(`http://127.0.0.1:${(greeter.address() as AddressInfo).port}`),
      'ERR_SEED_ANSWER'
    )
  })

  it('says when nobody is there', async () => {
    const url = await serve(() => undefined)
    servers.splice(0).forEach((server) => server.close())
    assert.equal(await codeOf(url), 'ERR_SEED_UNREACHABLE')
  })
})
