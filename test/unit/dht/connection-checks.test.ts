import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { spreadChecks } from '../../../dht/connection-checks.ts'
import { CONNECTION_CHECK_INTERVAL_MS, CONNECTION_CHECK_TURN_MS } from '../../../dht/constants.ts'

const TURNS = CONNECTION_CHECK_INTERVAL_MS / CONNECTION_CHECK_TURN_MS

interface Monitor {
  readonly components: { readonly connectionManager: { getConnections: () => Connection[] } }
  readonly pingIntervalMs: number
}

describe('checks of connections', () => {
  it('stock libp2p: all at once; ours: each as often, a few at a time, also of those that come later', async () => {
    const connections = Array.from({ length: 50 }, () => ({}) as Connection)
    const libp2p = await createLibp2p({
      start: false,
      connectionMonitor: { pingInterval: CONNECTION_CHECK_INTERVAL_MS }
    })
    const { connectionMonitor: monitor } = (
      libp2p as unknown as { readonly components: { readonly connectionMonitor: Monitor } }
    ).components
    assert.equal(monitor.pingIntervalMs, CONNECTION_CHECK_INTERVAL_MS)
    Object.assign(monitor.components.connectionManager, { getConnections: () => connections })
    assert.equal(monitor.components.connectionManager.getConnections().length, 50)
    spreadChecks(libp2p)
    assert.equal(monitor.pingIntervalMs, CONNECTION_CHECK_TURN_MS)
    const round = (): Connection[][] =>
      Array.from({ length: TURNS }, () => monitor.components.connectionManager.getConnections())
    const first = round()
    assert.ok(first.every((due) => due.length <= Math.ceil(50 / TURNS)))
    assert.deepEqual([first.flat().length, new Set(first.flat())], [50, new Set(connections)])
    connections.push({} as Connection)
    assert.equal(new Set(round().flat()).size, 51)
  })
})
