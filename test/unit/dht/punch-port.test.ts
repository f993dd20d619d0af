import assert from 'node:assert/strict'
import type { MultiaddrConnection, Upgrader } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createPunchPort, type PunchPort, type PunchPortComponents } from '../../../dht/punch-port.ts'

const FAR = multiaddr('/ip4/20.1.1.1/tcp/4697')
const SIGNAL = new AbortController().signal

interface World {
  readonly port: PunchPort
  /** What the listener of the port calls for a new connection. */
  arrive(from: string): Promise<unknown>
  /** Upgrades as the client, each until its signal aborts. */
  readonly asClient: AbortSignal[]
  /** From where those came who were upgraded as anybody is. */
  readonly asServer: string[]
  dial(signal: AbortSignal): Promise<unknown>
  /** How many sockets were bound to the port. */
  bound(): number
}

async function createWorld(): Promise<World> {
  const asClient: AbortSignal[] = []
  const asServer: string[] = []
  let boundCount = 0
  class Handle {
    bind(): number {
      boundCount += 1
      return 0
    }
  }
  const upgrader = {
    upgradeOutbound: async (_connection: unknown, { signal }: { signal: AbortSignal }) => {
      asClient.push(signal)
      await Promise.resolve()
    },
    upgradeInbound: async ({ remoteAddr }: MultiaddrConnection) => {
      asServer.push(remoteAddr.toString())
      await Promise.resolve()
    }
  }
  let ofListener: Upgrader | undefined
  const port = createPunchPort(() => () => {
    const transport = {
      dial: async (_address: unknown, { signal }: { signal: AbortSignal }) => {
        signal.throwIfAborted()
        return await Promise.resolve({})
      },
      createListener: (options: { upgrader: Upgrader }) => {
        ofListener = options.upgrader
        return {
          listen: async () => await Promise.resolve(),
          getAddrs: () => [multiaddr('/ip4/0.0.0.0/tcp/4001')],
          server: { _handle: new Handle() }
        }
      }
    }
    return transport as never
  })
  const events = new EventTarget()
  const components = { upgrader, events } as unknown as PunchPortComponents
  const transport = port.transport(components as never)
  await port.open(components)
  return {
    port,
    asClient,
    asServer,
    bound: () => boundCount,
    dial: async (signal) => await transport.dial(FAR, { signal, upgrader: upgrader as never }),
    arrive: async (from) => {
      const connection = { remoteAddr: multiaddr(from) } as unknown as MultiaddrConnection
      await ofListener?.upgradeInbound(connection, { signal: SIGNAL })
    }
  }
}

describe('a port to punch from', () => {
  it('is the client of whom it expects, and until then only', async () => {
    const { port, arrive, asClient, asServer } = await createWorld()
    {
      using _first = port.expect([FAR])
      {
        using _second = port.expect([FAR, multiaddr('/ip4/20.2.2.2/tcp/1')])
      }
      await arrive('/ip4/20.1.1.1/tcp/9')
      await arrive('/ip4/20.2.2.2/tcp/9')
      assert.deepEqual(
        asClient.map(({ aborted }) => aborted),
        [false]
      )
    }
    // who said nothing would otherwise be waited for as long as it likes
    assert.deepEqual(
      asClient.map(({ aborted }) => aborted),
      [true]
    )
    await arrive('/ip4/20.1.1.1/tcp/9')
    assert.deepEqual(asServer, ['/ip4/20.2.2.2/tcp/9', '/ip4/20.1.1.1/tcp/9'])
  })

  it('binds a socket for each dial, and none for a dial that was given up before', async () => {
    const { port, dial, bound } = await createWorld()
    await dial(SIGNAL)
    await port.dial(FAR, { role: 'client', signal: SIGNAL })
    assert.equal(bound(), 2)
    await assert.rejects(dial(AbortSignal.abort()), { name: 'AbortError' })
    await assert.rejects(port.dial(FAR, { role: 'client', signal: AbortSignal.abort() }), {
      name: 'AbortError'
    })
    assert.equal(bound(), 2)
  })
})
