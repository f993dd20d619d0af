import { constants, generateKeyPairSync, hash } from 'node:crypto'
import { Server as NetServer } from 'node:net'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, Server, TLSSocket } from 'node:tls'
import type { Random } from '#contracts'
import type { InboundAdmission } from '../inbound-admission.ts'
import { createCertificate } from './certificate.ts'
import {
  BULK_ALPN,
  BULK_CIPHERS,
  FIRST_BYTE_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  READ_BYTES,
  SENDING_BYTES,
  SILENT_CONNECTIONS_MAX,
  TLS_FIRST_BYTE
} from './constants.ts'

/** Our certificate with its key, as TLS takes them, and its SHA-256. */
export interface Identity {
  readonly key: string
  readonly cert: string
  readonly fingerprint: Uint8Array
}

/** Bytes both ways over a socket whose other side is known. */
export interface SocketPipe {
  /** `onSent`: the bytes went, and their memory is no longer needed. */
  send(bytes: Uint8Array, onSent?: () => void): boolean
  drained(): Promise<void>
  receive(onBytes: (bytes: Uint8Array) => void, onEnd: (cause: Error | undefined) => void): void
  end(): void
  abort(cause: Error): void
}

/** A fresh key and certificate, for this process and no longer. */
export function createIdentity(o: { random: Random; nowMs: number }): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const der = createCertificate({ privateKey, publicKey, serial: o.random.bytes(16), nowMs: o.nowMs })
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    fingerprint: hash('sha256', der, 'buffer')
  }
}

/** TLS 1.3 only, no session is ever resumed, and whose certificate it is we find out by ourselves. */
function tlsOptions({ key, cert }: Identity): {
  readonly [name: string]: unknown
  readonly rejectUnauthorized: false
} {
  return {
    key,
    cert,
    minVersion: 'TLSv1.3',
    ciphers: BULK_CIPHERS,
    ALPNProtocols: [BULK_ALPN],
    secureOptions: constants.SSL_OP_NO_TICKET,
    rejectUnauthorized: false
  }
}

/** A server that is given its connections by {@link divertTls} and hands on those whose handshake is done. */
export function createTlsServer(identity: Identity, onSocket: (socket: TLSSocket) => void): Server {
  const options = { ...tlsOptions(identity), requestCert: true, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }
  return createServer(options, onSocket).on('tlsClientError', (_error, socket) => socket.destroy())
}

/** What comes on a socket that we dialled, read into one piece of memory again and again. */
class Inbox {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #early: Buffer[] = []
  #take: ((bytes: Uint8Array) => void) | undefined

  /** Keeps the little that comes before anybody takes it. */
  readonly put = (bytes: Uint8Array): void => {
    if (this.#take === undefined) this.#early.push(Buffer.from(bytes))
    else this.#take(bytes)
  }

  /** From now on everything goes there; the bytes count only during the call. */
  pipeTo(take: (bytes: Uint8Array) => void): void {
    const early = this.#early
    this.#early = []
    this.#take = take
    for (const bytes of early) take(bytes)
  }

  /** The first byte, once; what comes behind it is kept for {@link pipeTo}. */
  first(take: (byte: number) => void): void {
    this.pipeTo((bytes) => {
      this.#take = undefined
      if (bytes.length > 1) this.put(bytes.subarray(1))
      take(bytes[0] ?? 0)
    })
  }
}

/** A socket that we dialled. */
export interface DialedSocket {
  readonly socket: TLSSocket
  readonly inbox: Pick<Inbox, 'pipeTo' | 'first'>
}

/** Dials; resolves when the handshake is done. */
export async function dialTls(
  identity: Identity,
  o: { host: string; port: number; signal: AbortSignal }
): Promise<DialedSocket> {
  o.signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const inbox = new Inbox()
  const onread = {
    buffer: inbox.buffer,
    callback: (count: number, buffer: Uint8Array): boolean => {
      inbox.put(buffer.subarray(0, count))
      return true
    }
  }
  const target = { host: o.host, port: o.port, servername: '' }
  const socket = connect({ ...tlsOptions(identity), ...target, onread } as ConnectionOptions)
  socket.setNoDelay(true)
  const onAbort = (): void => {
    socket.destroy()
    reject(o.signal.reason as Error)
  }
  o.signal.addEventListener('abort', onAbort, { once: true })
  socket.once('secureConnect', () => resolve(undefined))
  socket.on('error', reject)
  socket.once('close', () => reject(new Error('the socket was closed')))
  try {
    await promise
    return { socket, inbox }
  } catch (thrown) {
    socket.destroy()
    throw thrown
  } finally {
    o.signal.removeEventListener('abort', onAbort)
  }
}

/** SHA-256 of the certificate that the other side has proven to hold the key of, when there is one. */
export function fingerprintOf(socket: TLSSocket): Uint8Array | undefined {
  if (socket.getProtocol() !== 'TLSv1.3' || socket.isSessionReused()) return undefined
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? undefined : hash('sha256', certificate.raw, 'buffer')
}

/** The first `length` bytes that come; fails when the socket ends before, or `signal` aborts. */
export async function readExactly(
  socket: Socket,
  { length, signal }: { length: number; signal: AbortSignal }
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const look = (): void => {
    const bytes = socket.read(length) as Buffer | null
    if (bytes?.length === length) resolve(bytes)
    else if (bytes !== null || socket.readableEnded) reject(new Error('the socket has ended'))
  }
  const onEnd = (): void => reject(new Error('the socket has ended'))
  const onAbort = (): void => reject(signal.reason as Error)
  socket.on('readable', look).on('end', onEnd).on('close', onEnd).on('error', reject)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    look()
    return await promise
  } finally {
    socket.off('readable', look).off('end', onEnd).off('close', onEnd).off('error', reject)
    signal.removeEventListener('abort', onAbort)
  }
}

/** The first byte that comes on a socket that we dialled; fails when it ends before, or `signal` aborts. */
export async function firstByte({ socket, inbox }: DialedSocket, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const onEnd = (): void => reject(new Error('the socket has ended'))
  const onAbort = (): void => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  socket.once('close', onEnd).once('end', onEnd)
  inbox.first(resolve)
  try {
    if (signal.aborted) onAbort()
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.off('close', onEnd).off('end', onEnd)
  }
}

interface Waiting {
  readonly bytes: Uint8Array
  readonly onSent: () => void
}

/**
 * Gives a socket one piece at a time. Node joins whatever waits in a TLS socket into one piece of fresh memory, which costs
 * more than to encrypt it.
 */
class SocketWriter {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #isWriting = false
  #isEnding = false
  /** Bytes that the socket has not taken. */
  waitingBytes = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** `onSent` is called when the bytes went; never when the socket closes first. */
  write(bytes: Uint8Array, onSent: () => void): void {
    this.waitingBytes += bytes.length
    this.#waiting.push({ bytes, onSent })
    if (!this.#isWriting) this.#next()
  }

  /** Closes our side behind what waits. */
  end(): void {
    this.#isEnding = true
    if (!this.#isWriting) this.#socket.end()
  }

  #next(): void {
    const next = this.#waiting.shift()
    this.#isWriting = next !== undefined
    if (next === undefined) {
      if (this.#isEnding) this.#socket.end()
      return
    }
    const { bytes, onSent } = next
    this.#socket.write(bytes, (cause) => {
      if (cause instanceof Error) return
      this.waitingBytes -= bytes.length
      this.#next()
      onSent()
    })
  }
}

/** A socket as a pipe. It is read from as soon as somebody receives; bytes count only during the call. */
export function pipeOfSocket(socket: Socket, inbox?: DialedSocket['inbox']): SocketPipe {
  const writer = new SocketWriter(socket)
  let drain: PromiseWithResolvers<void> | undefined
  let failure: Error | undefined
  // Errors show as the end of the pipe.
  socket.on('error', (cause) => (failure ??= cause))
  socket.once('close', () => drain?.reject(failure ?? new Error('the socket was closed')))
  return {
    send: (bytes, onSent) => {
      if (socket.destroyed || socket.writableEnded) throw failure ?? new Error('the socket was closed')
      writer.write(bytes, () => {
        if (writer.waitingBytes <= SENDING_BYTES.resume) drain?.resolve()
        onSent?.()
      })
      return writer.waitingBytes < SENDING_BYTES.max
    },
    drained: async () => {
      if (writer.waitingBytes <= SENDING_BYTES.resume) return
      if (socket.destroyed) throw failure ?? new Error('the socket was closed')
      drain = Promise.withResolvers()
      await drain.promise
    },
    receive: (onBytes, onEnd) => {
      if (inbox === undefined) socket.on('data', onBytes)
      // What came early too is for somebody who knows by then what to do with it.
      else queueMicrotask(() => inbox.pipeTo(onBytes))
      socket.once('close', () => onEnd(failure))
      socket.once('end', () => socket.end())
    },
    end: () => writer.end(),
    abort: (cause) => {
      failure ??= cause
      socket.destroy()
    }
  }
}

/**
 * Gives TLS connections of a server to `onTls`, told by their first byte; all others go where they went
 * before. Disposing ends those that have sent nothing yet. `undefined` when that is no server.
 *
 * @param admission asked at once, for a connection that says nothing takes room too
 */
export function divertTls(
  server: unknown,
  onTls: (socket: Socket) => void,
  admission?: Pick<InboundAdmission, 'arrived' | 'left'>
): Disposable | undefined {
  if (!(server instanceof NetServer)) return undefined
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[]
  const silent = new Set<Socket>()
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const address = remoteAddressOf(socket)
    if (admission?.arrived(address) === false) {
      socket.destroy()
      return
    }
    socket.once('close', () => admission?.left(address))
    const [oldest] = silent.size >= SILENT_CONNECTIONS_MAX ? silent : []
    if (oldest !== undefined) {
      // At once, for its close comes later and many connections may come before.
      silent.delete(oldest)
      oldest.destroy()
    }
    silent.add(socket)
    const destroy = (): void => {
      socket.destroy()
    }
    const look = (): void => {
      const bytes = socket.read() as Buffer | null
      if (bytes === null) return
      leave()
      socket.unshift(bytes)
      if (bytes[0] === TLS_FIRST_BYTE) onTls(socket)
      else for (const listener of listeners) listener.call(server, socket)
    }
    const leave = (): void => {
      silent.delete(socket)
      socket.off('readable', look).off('end', destroy).off('error', destroy).off('close', leave)
      socket.off('timeout', destroy).setTimeout(0)
    }
    socket.on('readable', look).on('end', destroy).on('error', destroy).on('close', leave)
    socket.setTimeout(FIRST_BYTE_TIMEOUT_MS, destroy)
  })
  return {
    [Symbol.dispose]: () => {
      for (const socket of silent) socket.destroy()
    }
  }
}

/** As libp2p writes it. */
function remoteAddressOf({ remoteAddress = '', remoteFamily, remotePort = 0 }: Socket): string {
  return `/${remoteFamily === 'IPv6' ? 'ip6' : 'ip4'}/${remoteAddress}/tcp/${remotePort}`
}
