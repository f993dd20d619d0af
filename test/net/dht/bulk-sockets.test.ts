import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect as connectTcp, Socket, type AddressInfo, type Server } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { multiaddr } from '@multiformats/multiaddr'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { createBulkSockets, type BulkSockets } from '#dht'
import { SILENT_CONNECTIONS_MAX } from '../../../dht/bulk/constants.ts'
import { createIdentity, divertTls, type SocketPipe } from '../../../dht/bulk/powers.ts'

/** A port that takes both kinds of connections, and the sockets behind it. */
interface Port extends AsyncDisposable {
  readonly sockets: BulkSockets
  readonly server: Server
  readonly port: number
  /** First bytes of connections that were not TLS. */
  readonly others: string[]
}

const PIECE_BYTES = 64 * 1024

const create = (): BulkSockets =>
  createBulkSockets({ clock: systemClock, random: systemRandom, logger: silentLogger })

async function openPort(): Promise<Port> {
  const sockets = create()
  const others: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      others.push(bytes.toString())
      socket.end()
    })
  })
  const diverted = divertTls(server, (socket) => sockets.accept(socket))
  sockets.listening()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    sockets,
    server,
    others,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      diverted?.[Symbol.dispose]()
      sockets[Symbol.dispose]()
      server.close()
      if (server.listening) await once(server, 'close')
    }
  }
}

const connectionTo = (port: number): Parameters<BulkSockets['dial']>[0]['connection'] => ({
  remoteAddr: multiaddr(`/ip4/127.0.0.1/tcp/${port}`),
  direction: 'outbound'
})

interface Attempt {
  readonly token?: Uint8Array
  readonly fingerprint?: Uint8Array
}

/** Expects `dialler` and lets it dial, with what an attempt changes. */
async function dial(o: { port: Port; dialler: BulkSockets; expected?: BulkSockets } & Attempt): Promise<{
  dialled: SocketPipe
  accepted: SocketPipe
}> {
  const { port, dialler, expected = dialler } = o
  const ended = new AbortController()
  const { token, pipe } = port.sockets.expect({ fingerprint: expected.fingerprint, signal: ended.signal })
  const accepted = pipe.catch((cause: unknown) => cause as Error)
  try {
    const dialled = await dialler.dial({
      connection: connectionTo(port.port),
      fingerprint: o.fingerprint ?? port.sockets.fingerprint,
      token: o.token ?? token,
      signal: AbortSignal.timeout(10_000)
    })
    return { dialled, accepted: (await accepted) as SocketPipe }
  } finally {
    ended.abort(new Error('expected no more'))
  }
}

function textOf(pipe: SocketPipe, length: number): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    pipe.receive(
      (bytes) => {
        text += Buffer.from(bytes).toString()
        if (text.length >= length) resolve(text)
      },
      (cause) => reject(cause ?? new Error(`it ended after "${text}"`))
    )
  })
}

describe('sockets for bulk', () => {
  it('carry bytes both ways beside connections of another protocol on the same port', async () => {
    await using port = await openPort()
    using dialler = create()
    const { dialled, accepted } = await dial({ port, dialler })
    const [there, back] = [textOf(accepted, 5), textOf(dialled, 5)]
    dialled.send(Buffer.from('there'))
    accepted.send(Buffer.from('back!'))
    assert.deepEqual(await Promise.all([there, back]), ['there', 'back!'])
    const other = connectTcp(port.port, '127.0.0.1')
    other.write('\x13/multistream/1.0.0\n')
    await once(other, 'close')
    assert.deepEqual(port.others, ['\x13/multistream/1.0.0\n'])
  })

  it('say of each piece when its memory may be written to again', async () => {
    await using port = await openPort()
    using dialler = create()
    const { dialled, accepted } = await dial({ port, dialler })
    const pieces = 100
    const memory = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const
    let at = 0
    const received = new Promise<void>((resolve, reject) => {
      dialled.receive((bytes) => {
        for (const byte of bytes) if (byte !== Math.floor(at++ / PIECE_BYTES)) reject(new Error(`at ${at}`))
        if (at === pieces * PIECE_BYTES) resolve()
      }, reject)
    })
    let before = Promise.resolve()
    for (let piece = 0; piece < pieces; piece++) {
      const bytes = memory[piece % 2] as Buffer
      const sent = new Promise<void>((resolve) => accepted.send(bytes.fill(piece), resolve))
      await before
      before = sent
    }
    await received
    accepted.abort(new Error('enough'))
  })

  it('refuse who shows another certificate than was agreed', async () => {
    await using port = await openPort()
    using dialler = create()
    using somebody = create()
    await assert.rejects(dial({ port, dialler, expected: somebody }))
  })

  it('send no token to whom shows another certificate than was agreed', async () => {
    await using port = await openPort()
    using dialler = create()
    using somebody = create()
    await assert.rejects(dial({ port, dialler, fingerprint: somebody.fingerprint }), {
      code: 'ERR_BULK_SOCKET'
    })
  })

  it('refuse who shows no certificate', async () => {
    await using port = await openPort()
    using dialler = create()
    const { token, pipe } = port.sockets.expect({
      fingerprint: dialler.fingerprint,
      signal: AbortSignal.timeout(1_000)
    })
    pipe.catch(() => undefined)
    const socket = connectTls({ port: port.port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => undefined)
    const came: Buffer[] = []
    socket.on('data', (bytes: Buffer) => came.push(bytes))
    socket.write(token)
    await once(socket, 'close')
    assert.deepEqual(came, [])
    await assert.rejects(pipe)
  })

  it('take a token once', async () => {
    await using port = await openPort()
    using dialler = create()
    const { token, pipe } = port.sockets.expect({
      fingerprint: dialler.fingerprint,
      signal: AbortSignal.timeout(10_000)
    })
    const connection = connectionTo(port.port)
    const init = {
      connection,
      fingerprint: port.sockets.fingerprint,
      token,
      signal: AbortSignal.timeout(10_000)
    }
    await dialler.dial(init)
    await pipe
    await assert.rejects(dial({ port, dialler, token }))
  })

  it("refuse another peer's token", async () => {
    await using port = await openPort()
    using dialler = create()
    using somebody = create()
    const theirs = port.sockets.expect({
      fingerprint: somebody.fingerprint,
      signal: AbortSignal.timeout(10_000)
    })
    theirs.pipe.catch(() => undefined)
    await assert.rejects(dial({ port, dialler, token: theirs.token }))
  })

  it('refuse a token that has run out', async () => {
    await using port = await openPort()
    using dialler = create()
    const ended = new AbortController()
    const old = port.sockets.expect({ fingerprint: dialler.fingerprint, signal: ended.signal })
    ended.abort(new Error('too late'))
    await assert.rejects(old.pipe, /too late/)
    await assert.rejects(dial({ port, dialler, token: old.token }))
  })

  it('resume no session', async () => {
    await using port = await openPort()
    using dialler = create()
    const { key, cert, fingerprint } = createIdentity({ random: systemRandom, nowMs: Date.now() })
    const sessions: Buffer[] = []
    for (let attempt = 0; attempt < 2; attempt++) {
      const expected = port.sockets.expect({ fingerprint, signal: AbortSignal.timeout(10_000) })
      const [session] = sessions
      const socket = connectTls({
        ...{ port: port.port, host: '127.0.0.1', key, cert, rejectUnauthorized: false },
        ...(session === undefined ? {} : { session })
      })
      socket.on('error', () => undefined)
      socket.on('session', (fresh) => sessions.push(fresh))
      await once(socket, 'secureConnect')
      assert.equal(socket.isSessionReused(), false)
      socket.write(expected.token)
      await once(socket, 'data')
      socket.destroy()
      await expected.pipe
    }
    assert.ok(dialler.fingerprint.length === 32)
  })

  it('let nobody in while nobody is expected, nor with TLS 1.2', async () => {
    await using port = await openPort()
    using dialler = create()
    const refused = async (options: object): Promise<void> => {
      const socket = connectTls({ port: port.port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
      let isSecure = false
      socket.on('secureConnect', () => (isSecure = true))
      socket.on('error', () => undefined)
      await new Promise((closed) => socket.once('close', closed))
      assert.equal(isSecure, false)
    }
    await refused({})
    const expected = port.sockets.expect({
      fingerprint: dialler.fingerprint,
      signal: AbortSignal.timeout(10_000)
    })
    expected.pipe.catch(() => undefined)
    await refused({ maxVersion: 'TLSv1.2' })
  })

  it('hand over what came with the acceptance once somebody receives, not before that is done', async () => {
    const { key, cert, fingerprint } = createIdentity({ random: systemRandom, nowMs: Date.now() })
    const options = {
      key,
      cert,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false
    } as const
    const server = createTlsServer(options, (socket) => {
      socket.on('error', () => undefined).once('data', () => socket.write('\x01early'))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    using dialler = create()
    const pipe = await dialler.dial({
      connection: connectionTo((server.address() as AddressInfo).port),
      fingerprint,
      token: new Uint8Array(32),
      signal: AbortSignal.timeout(10_000)
    })
    let isReceiving = false
    const came = new Promise<boolean>((resolve) => {
      pipe.receive(
        () => resolve(isReceiving),
        () => undefined
      )
    })
    isReceiving = true
    assert.equal(await came, true)
    pipe.abort(new Error('enough'))
    server.close()
    await once(server, 'close')
  })

  it('keep no more connections that say nothing than they may, however fast those come', async () => {
    await using port = await openPort()
    const silent = Array.from({ length: SILENT_CONNECTIONS_MAX + 40 }, () => new Socket())
    for (const socket of silent) port.server.emit('connection', socket)
    assert.deepEqual(
      silent.map(({ destroyed }) => destroyed),
      silent.map((_, index) => index < 40)
    )
  })

  it('are opened by whoever dialled over TCP, and over nothing else', () => {
    using sockets = create()
    const side = (address: string, more: object = {}): string | undefined =>
      sockets.sideOf({ ...connectionTo(1), remoteAddr: multiaddr(address), ...more })
    assert.equal(side('/ip4/127.0.0.1/tcp/4001'), 'dial')
    assert.equal(side('/dns4/example.org/tcp/4001'), 'dial')
    assert.equal(side('/ip4/127.0.0.1/tcp/4001', { direction: 'inbound' }), undefined)
    sockets.listening()
    assert.equal(side('/ip4/127.0.0.1/tcp/4001', { direction: 'inbound' }), 'accept')
    assert.equal(side('/ip4/127.0.0.1/tcp/4001', { limits: { bytes: 1n } }), undefined)
    assert.equal(side('/ip4/127.0.0.1/tcp/4001/ws'), undefined)
    assert.equal(side('/ip4/127.0.0.1/udp/4001/quic-v1'), undefined)
    assert.equal(side('/memory/a'), undefined)
  })
})
