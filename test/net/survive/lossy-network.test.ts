import assert from 'node:assert/strict'
import { needs } from '../../support/requirements.ts'
import { startLossyNetwork, type LossyHost, type LossyNetwork } from '../../support/lossy-network.ts'
import { startProcess, type RunningProcess } from '../../support/process.ts'
import { until } from '../dht/hosts.ts'

const PORT = 4697
const ONE_WAY_MS = 40
const BYTES = 512 * 1024

/** Answers every connection with what it brings, and says where it came from. */
const ECHO = `
const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  console.log(JSON.stringify({ event: 'caller', from: socket.remoteAddress }))
  socket.on('error', () => undefined).pipe(socket)
})
server.listen(${PORT}, '0.0.0.0', () => console.log('{"event":"listening"}'))
`

/** Calls an address, sends bytes, and says what came back and how long the first of it took. */
const CALL = `
const [, host, port, count] = process.argv
const sent = require('node:crypto').randomBytes(Number(count))
const startMs = performance.now()
const chunks = []
let firstMs
const socket = require('node:net').connect({ host, port, allowHalfOpen: true }, () => socket.end(sent))
socket.on('data', (chunk) => { firstMs ??= performance.now() - startMs; chunks.push(chunk) })
const say = (error) => console.log(JSON.stringify(
  { event: 'done', isWhole: Buffer.concat(chunks).equals(sent), firstMs, wholeMs: performance.now() - startMs, error }))
socket.on('end', () => say()).on('error', ({ code }) => say(code))
socket.setTimeout(10_000, () => socket.destroy(Object.assign(new Error(), { code: 'nothing came' })))
`

describe('a network of slow, lossy links', function () {
  this.timeout(60_000)
  let network: LossyNetwork
  before(async function () {
    await needs(this, 'namespaces', 'nft', 'rates')
    network = await startLossyNetwork({
      hosts: 2,
      ports: [PORT],
      delayMs: () => ONE_WAY_MS,
      lossPerMille: 20,
      rateMbit: 10
    })
  })
  after(async () => {
    await network?.[Symbol.asyncDispose]()
  })

  const runOn = async (host: LossyHost, script: string, ...args: string[]): Promise<RunningProcess> => {
    const [command, ...before] = [...host.within, process.execPath, '-e', script]
    return await startProcess({ command, args: [...before, ...args] })
  }
  const call = async (port: number): Promise<Record<string, unknown>> => {
    const [caller, callee] = network.hosts
    assert.ok(caller !== undefined && callee !== undefined)
    await using running = await runOn(caller, CALL, callee.address, String(port), String(BYTES))
    return await running.event('done')
  }

  /** A refusal is one packet, which may get lost as any other. */
  const refuses = async (port: number, code: string): Promise<void> => {
    await until(async () => (await call(port))['error'] === code)
  }

  it('carries every byte, no sooner than distance and rate allow, in the name of the caller, and loses packets', async () => {
    const [caller, callee] = network.hosts
    assert.ok(caller !== undefined && callee !== undefined)
    await using echo = await runOn(callee, ECHO)
    await echo.event('listening')
    const { isWhole, firstMs, wholeMs } = await call(PORT)
    assert.equal(isWhole, true)
    assert.ok(Number(firstMs) >= 4 * ONE_WAY_MS, `the first answer after ${Number(firstMs)} ms`)
    assert.ok(Number(wholeMs) >= (BYTES * 8) / 10_000, `the whole after ${Number(wholeMs)} ms`)
    assert.equal((await echo.event('caller'))['from'], caller.address)
    assert.ok((await network.lost()) > 0)
  })

  it('refuses where nobody listens, and passes nothing round the proxy', async () => {
    await refuses(PORT, 'ECONNRESET')
    await refuses(PORT + 1, 'ECONNREFUSED')
  })

  it('ends what runs in it with the process that started it', async () => {
    const [, callee] = network.hosts
    const [command, ...args] = [...(callee?.within ?? []), process.execPath, '-e', ECHO]
    const starter = `
      const { spawn } = require('node:child_process')
      spawn(${JSON.stringify(command)}, ${JSON.stringify(args)}, { stdio: ['ignore', 'inherit', 'inherit'] })
      setInterval(() => undefined, 1000)`
    const running = await startProcess({ command: process.execPath, args: ['-e', starter] })
    await running.event('listening')
    await running.end({ signal: 'SIGKILL' })
    await running.stdout.match(/listening/)
    await refuses(PORT, 'ECONNRESET')
  })
})
