import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What {@link startDelayProxy} forwards, and how late. */
export interface DelayProxyInit {
  readonly relays: readonly DelayRelay[]
  /** Whose connections come from which address. */
  readonly places: Readonly<Record<string, number>>
  /** Milliseconds one way, by the places of both ends. */
  readonly delaysMs: readonly (readonly number[])[]
  /** The address to call from on behalf of each place. */
  readonly callers: readonly string[]
}

/** A port of the proxy and what is behind it. */
export interface DelayRelay {
  readonly listen: number
  readonly place: number
  readonly host: string
  readonly port: number
}

/** Bytes on their way in one direction of a connection: a sender that is faster waits. */
const UNDER_WAY_BYTES_MAX: number = 1024 * 1024
/** Connections to one port at a time. */
const CONNECTIONS_MAX = 1_024

/**
 * A TCP proxy that makes a network long: every connection is passed on to where it was going, whatever it carries in the
 * order it came, each byte and each end as late as the distance between the two says. What a caller sends first waits for
 * the round trip that opening a connection takes. Packets are lost and repeated on the links to the proxy, not on the whole
 * way: a repetition is as quick as the link.
 */
export async function startDelayProxy(init: DelayProxyInit): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  for (const relay of init.relays) stack.use(await startRelay(relay, init))
  return stack.move()
}

async function startRelay(relay: DelayRelay, init: DelayProxyInit): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.setNoDelay(true)
    // An error closes the socket, and that is passed on.
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    const place = init.places[caller.remoteAddress?.replace('::ffff:', '') ?? '']
    const delayMs = place === undefined ? undefined : init.delaysMs[place]?.[relay.place]
    if (place === undefined || delayMs === undefined) {
      caller.destroy()
      return
    }
    keep(caller)
    const openedMs = performance.now()
    setTimeout(() => {
      const localAddress = init.callers[place] ?? ''
      const callee = connect({ host: relay.host, port: relay.port, localAddress, allowHalfOpen: true })
      keep(callee)
      new DelayLine(caller, callee, { delayMs, notBeforeMs: openedMs + 3 * delayMs })
      new DelayLine(callee, caller, { delayMs, notBeforeMs: 0 })
    }, delayMs)
  })
  server.maxConnections = CONNECTIONS_MAX
  server.listen(relay.listen, '0.0.0.0')
  await once(server, 'listening')
  return { [Symbol.asyncDispose]: async () => await close(server, sockets) }
}

async function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  for (const socket of sockets) socket.destroy()
  await closed
}

interface UnderWay {
  readonly dueMs: number
  readonly what: Buffer | 'end' | 'reset'
}

/** One direction of a connection. */
class DelayLine {
  readonly #from: Socket
  readonly #to: Socket
  readonly #delayMs: number
  readonly #notBeforeMs: number
  readonly #queue: UnderWay[] = []
  #bytes = 0
  #isWaiting = false

  constructor(from: Socket, to: Socket, o: { delayMs: number; notBeforeMs: number }) {
    this.#from = from
    this.#to = to
    this.#delayMs = o.delayMs
    this.#notBeforeMs = o.notBeforeMs
    from.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (this.#bytes > UNDER_WAY_BYTES_MAX) from.pause()
      this.#push(chunk)
    })
    from.once('end', () => this.#push('end'))
    from.once('close', (hadError: boolean) => {
      if (hadError) this.#push('reset')
    })
    if (from.closed) this.#push('reset')
    to.on('drain', () => this.#deliver())
  }

  #push(what: UnderWay['what']): void {
    this.#queue.push({ dueMs: Math.max(this.#notBeforeMs, performance.now() + this.#delayMs), what })
    if (!this.#isWaiting) this.#deliver()
  }

  /** Hands over whatever has arrived by now, and comes back for the next. */
  #deliver(): void {
    if (this.#isWaiting || this.#to.writableNeedDrain) return
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.dueMs - performance.now()
      if (waitMs > 0) {
        this.#isWaiting = true
        setTimeout(() => {
          this.#isWaiting = false
          this.#deliver()
        }, Math.ceil(waitMs))
        return
      }
      this.#queue.shift()
      if (!this.#hand(next.what)) return
    }
  }

  /** False when the receiver takes no more for now. */
  #hand(what: UnderWay['what']): boolean {
    if (what === 'end') this.#to.end()
    else if (what === 'reset') this.#to.resetAndDestroy()
    else {
      this.#bytes -= what.length
      if (this.#bytes < UNDER_WAY_BYTES_MAX / 2) this.#from.resume()
      if (!this.#to.destroyed) return this.#to.write(what)
    }
    return true
  }
}
