import { timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { errorMessage } from '#contracts'
import type { Clock, Logger, Random } from '#contracts'
import { DhtError } from '../errors.ts'
import {
  ACCEPTED_BYTE,
  EXPECTED_SOCKETS_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HANDSHAKES_MAX,
  TOKEN_BYTES
} from './constants.ts'
import {
  createIdentity,
  createTlsServer,
  dialTls,
  firstByte,
  fingerprintOf,
  pipeOfSocket,
  readExactly
} from './powers.ts'
import type { Identity, SocketPipe } from './powers.ts'

/** As much of a libp2p connection as says how a socket can be opened beside it. */
export type BesideConnection = Pick<Connection, 'remoteAddr' | 'direction' | 'limits'>

/** How a socket is opened. */
export interface DialInit {
  readonly connection: BesideConnection
  /** SHA-256 of the certificate that the other side must show. */
  readonly fingerprint: Uint8Array
  /** What it told us to send. */
  readonly token: Uint8Array
  readonly signal: AbortSignal
}

/** Sockets with TLS 1.3 beside libp2p's connections, on the same port, for bulk. */
export interface BulkSockets extends Disposable {
  /** SHA-256 of our certificate, which lives as long as this process. */
  readonly fingerprint: Uint8Array
  /** Who dialled a connection over TCP can dial again; who was dialled can be. */
  sideOf(connection: BesideConnection): 'dial' | 'accept' | undefined
  /**
   * Expects one socket that shows the certificate with this SHA-256 and sends the token first. It is given up when
   * `signal` aborts.
   *
   * @throws {@link DhtError} `ERR_BULK_SOCKET` when too many are expected already
   */
  expect(init: { fingerprint: Uint8Array; signal: AbortSignal }): {
    readonly token: Uint8Array
    readonly pipe: Promise<SocketPipe>
  }
  /**
   * Opens a socket to where the connection leads.
   *
   * @throws {@link DhtError} `ERR_BULK_SOCKET` when the other side shows another certificate or takes no such socket;
   *   the reason of `signal`; errors of the system
   */
  dial(init: DialInit): Promise<SocketPipe>
  /** Takes a TCP connection whose first byte says TLS. */
  accept(socket: Socket): void
  /** From now on connections that we accepted lead to a port that {@link accept} hears of. */
  listening(): void
}

/** What sockets are made with. */
export interface BulkSocketsComponents {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

interface Expected {
  readonly fingerprint: Uint8Array
  readonly resolve: (pipe: SocketPipe) => void
}

/** Prepares sockets; the key and certificate are made when the first is wanted. */
export function createBulkSockets(components: BulkSocketsComponents): BulkSockets {
  return new NodeBulkSockets(components)
}

class NodeBulkSockets implements BulkSockets {
  readonly #components: BulkSocketsComponents
  /** By token in hex. */
  readonly #expected = new Map<string, Expected>()
  readonly #sockets = new Set<Socket>()
  /** By the address and port that they come from. */
  readonly #handshaking = new Set<string>()
  readonly #stop = new AbortController()
  #made: { readonly identity: Identity; readonly server: Server } | undefined
  #isListening = false

  constructor(components: BulkSocketsComponents) {
    this.#components = components
  }

  get fingerprint(): Uint8Array {
    return this.#ready().identity.fingerprint
  }

  sideOf({ remoteAddr, direction, limits }: BesideConnection): 'dial' | 'accept' | undefined {
    if (limits !== undefined || tcpAddressOf(remoteAddr) === undefined) return undefined
    if (direction === 'outbound') return 'dial'
    return this.#isListening ? 'accept' : undefined
  }

  expect({ fingerprint, signal }: { fingerprint: Uint8Array; signal: AbortSignal }): {
    readonly token: Uint8Array
    readonly pipe: Promise<SocketPipe>
  } {
    if (this.#expected.size >= EXPECTED_SOCKETS_MAX) {
      throw new DhtError('ERR_BULK_SOCKET', `expected at most ${EXPECTED_SOCKETS_MAX} sockets under way`)
    }
    const token = this.#components.random.bytes(TOKEN_BYTES)
    const key = Buffer.from(token).toString('hex')
    const { promise, resolve, reject } = Promise.withResolvers<SocketPipe>()
    const ended = AbortSignal.any([signal, this.#stop.signal])
    const onAbort = (): void => {
      this.#expected.delete(key)
      reject(ended.reason as Error)
    }
    ended.addEventListener('abort', onAbort, { once: true })
    if (ended.aborted) onAbort()
    else this.#expected.set(key, { fingerprint, resolve })
    return { token, pipe: promise }
  }

  async dial(init: DialInit): Promise<SocketPipe> {
    const address = tcpAddressOf(init.connection.remoteAddr)
    if (address === undefined) throw new DhtError('ERR_BULK_SOCKET', 'expected a connection over TCP')
    const signal = AbortSignal.any([init.signal, this.#stop.signal])
    const dialed = await dialTls(this.#ready().identity, { ...address, signal })
    const { socket } = dialed
    this.#track(socket)
    try {
      checkFingerprint(fingerprintOf(socket), init.fingerprint)
      socket.write(init.token)
      if ((await firstByte(dialed, signal)) !== ACCEPTED_BYTE)
        throw new DhtError('ERR_BULK_SOCKET', 'the peer took no such socket')
      return pipeOfSocket(socket, dialed.inbox)
    } catch (thrown) {
      socket.destroy()
      throw thrown
    }
  }

  accept(socket: Socket): void {
    // Nobody is meant to come unless we told somebody how.
    const isWelcome = this.#expected.size > 0 && this.#handshaking.size < HANDSHAKES_MAX
    if (!isWelcome || this.#stop.signal.aborted) {
      socket.destroy()
      return
    }
    const from = originOf(socket)
    this.#handshaking.add(from)
    socket.once('close', () => this.#handshaking.delete(from))
    this.#track(socket)
    this.#ready().server.emit('connection', socket)
  }

  listening(): void {
    this.#isListening = true
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new DhtError('ERR_HOST_CLOSED', 'the host is disposed'))
    for (const socket of this.#sockets) socket.destroy()
  }

  #ready(): { readonly identity: Identity; readonly server: Server } {
    if (this.#made !== undefined) return this.#made
    const { random, clock } = this.#components
    const identity = createIdentity({ random, nowMs: clock.nowMs() })
    this.#made = { identity, server: createTlsServer(identity, (socket) => void this.#welcome(socket)) }
    return this.#made
  }

  /** Finds out whose socket this is. */
  async #welcome(socket: TLSSocket): Promise<void> {
    const { clock, logger } = this.#components
    this.#track(socket)
    const from = originOf(socket)
    const late = new AbortController()
    using _deadline = clock.after(HANDSHAKE_TIMEOUT_MS, () => late.abort(new Error('no token in time')))
    try {
      const shown = fingerprintOf(socket)
      const signal = AbortSignal.any([late.signal, this.#stop.signal])
      const token = await readExactly(socket, { length: TOKEN_BYTES, signal })
      const key = Buffer.from(token).toString('hex')
      const expected = this.#expected.get(key)
      // Spent, whoever spends it.
      this.#expected.delete(key)
      if (expected === undefined) throw new DhtError('ERR_BULK_SOCKET', 'expected a token that counts')
      checkFingerprint(shown, expected.fingerprint)
      socket.write(Uint8Array.of(ACCEPTED_BYTE))
      expected.resolve(pipeOfSocket(socket))
    } catch (thrown) {
      logger.info('refused a socket', { address: socket.remoteAddress, reason: errorMessage(thrown) })
      socket.destroy()
    } finally {
      this.#handshaking.delete(from)
    }
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    // Whoever works with it sees it end.
    socket.on('error', () => undefined)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

function originOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`
}

/** @throws {@link DhtError} `ERR_BULK_SOCKET` */
function checkFingerprint(shown: Uint8Array | undefined, expected: Uint8Array): void {
  const isSame = shown?.length === expected.length && timingSafeEqual(shown, expected)
  if (!isSame) throw new DhtError('ERR_BULK_SOCKET', 'expected the certificate that the peer named')
}

/** Where a connection over plain TCP leads; `undefined` for every other, such as one through a relay. */
function tcpAddressOf(address: Multiaddr): { host: string; port: number } | undefined {
  const parts = address.getComponents().filter(({ name }) => name !== 'p2p')
  const [host, tcp] = parts
  if (parts.length !== 2 || tcp?.name !== 'tcp' || host?.value === undefined) return undefined
  if (!HOSTS.has(host.name)) return undefined
  return { host: host.value, port: Number(tcp.value) }
}

const HOSTS: ReadonlySet<string> = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])
