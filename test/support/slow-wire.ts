import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A TCP port of loopback whose bytes take their time on the way to another port and back. */
export interface SlowWire extends AsyncDisposable {
  readonly port: number
}

/** A {@link SlowWire} that counts. */
export interface SteppedWire extends SlowWire {
  /** How often everything that was on its way has arrived, since the last connection was made. */
  flights(): number
}

/** What the bytes of a connection are handed to; it returns where they wait. */
type Transit = (deliver: () => void) => void

/**
 * Every byte takes `oneWayMs`, as on a line that long. The kernel connects two ports of loopback at once: the first
 * bytes of a connection wait for as long as a handshake over that line would take.
 */
export async function startSlowWire(o: { to: number; oneWayMs: number }): Promise<SlowWire> {
  return await startWire(o.to, () => {
    const connectedMs = performance.now() + 2 * o.oneWayMs
    return (deliver) => {
      setTimeout(deliver, Math.max(0, connectedMs - performance.now()) + o.oneWayMs)
    }
  })
}

/**
 * Bytes of both directions wait until nothing more was sent for `quietMs`, then all of them arrive: a flight is then
 * half a round trip, however busy the machine is.
 */
export async function startSteppedWire(o: { to: number; quietMs: number }): Promise<SteppedWire> {
  let flights = 0
  const wire = await startWire(o.to, () => {
    let waiting: (() => void)[] = []
    let timer: NodeJS.Timeout | undefined
    flights = 0
    const fly = (): void => {
      const arriving = waiting
      waiting = []
      flights++
      for (const deliver of arriving) deliver()
    }
    return (deliver) => {
      waiting.push(deliver)
      clearTimeout(timer)
      timer = setTimeout(fly, o.quietMs)
    }
  })
  return { ...wire, flights: () => flights }
}

async function startWire(to: number, createTransit: () => Transit): Promise<SlowWire> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    const far = connect({ port: to, host: '127.0.0.1', noDelay: true })
    const transit = createTransit()
    for (const [from, other] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => transit(() => other.write(bytes)))
      from.on('end', () => transit(() => other.end()))
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        transit(() => other.destroy())
      })
    }
    near.resume()
  })
  const port = await listening(server)
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const socket of sockets) socket.destroy()
      await closed
    }
  }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}
