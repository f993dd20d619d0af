import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import { CONNECTION_CHECK_INTERVAL_MS, CONNECTION_CHECK_TURN_MS } from '../../../dht/constants.ts'
import { startTestHost, until } from './hosts.ts'

const PROTOCOL = '/elastos/echo/1.0.0'
const TURNS = CONNECTION_CHECK_INTERVAL_MS / CONNECTION_CHECK_TURN_MS

interface Monitor {
  readonly components: { readonly connectionManager: { getConnections: () => Connection[] } }
  readonly stop: () => void
}

describe('checks of connections between real hosts', () => {
  it('ask a silent peer, and nobody of whom something came since the last', async () => {
    await using server = await startTestHost()
    await using client = await startTestHost()
    const { connectionMonitor: monitor } = (
      client.libp2p as unknown as { readonly components: { readonly connectionMonitor: Monitor } }
    ).components
    // its turns are taken here
    monitor.stop()
    await client.connect(server.addresses()[0] ?? '')
    const ask = async (): Promise<void> => {
      await client.exchange.request(server.peerId, PROTOCOL, Uint8Array.of(1))
    }
    await using _serving = await server.exchange.serve(PROTOCOL, ({ bytes }) => bytes)
    const round = (): Connection[] =>
      Array.from({ length: TURNS }, () => monitor.components.connectionManager.getConnections()).flat()
    const [first] = round()
    assert.ok(first !== undefined)
    first.rtt = 1
    await ask()
    assert.equal(round().length, 0)
    // what both still say of themselves may come after the answer
    await until(() => round().length === 1)
  })
})
