import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import { createLibp2p } from 'libp2p'
import { spreadChecks } from '../../../dht/connection-checks.ts'
import {
  CHECKS_UNANSWERED_MAX,
  CONNECTION_CHECK_INTERVAL_MS,
  CONNECTION_CHECK_TURN_MS
} from '../../../dht/constants.ts'

const TURNS = CONNECTION_CHECK_INTERVAL_MS / CONNECTION_CHECK_TURN_MS

interface Monitor {
  readonly components: { readonly connectionManager: { getConnections: () => Connection[] } }
  readonly pingIntervalMs: number
}

/** A monitor of stock libp2p that sees these connections; it is not running. */
async function monitorOf(connections: readonly object[]): Promise<{ monitor: Monitor; spread: () => void }> {
  const libp2p = await createLibp2p({
    start: false,
    connectionMonitor: { pingInterval: CONNECTION_CHECK_INTERVAL_MS }
  })
  const { connectionMonitor: monitor } = (
    libp2p as unknown as { readonly components: { readonly connectionMonitor: Monitor } }
  ).components
  Object.assign(monitor.components.connectionManager, { getConnections: () => connections })
  return { monitor, spread: () => spreadChecks(libp2p) }
}

/** What a monitor checks until each connection had its turn. */
function roundOf(monitor: Monitor): Connection[][] {
  return Array.from({ length: TURNS }, () => monitor.components.connectionManager.getConnections())
}

/** A connection over TCP, of which what came is counted. */
function createCounted(rtt?: number): {
  socket: { bytesRead: number }
  ended: Error[]
  connection: { rtt: number | undefined }
} {
  const socket = { bytesRead: 100 }
  const ended: Error[] = []
  const abort = (error: Error): unknown => ended.push(error)
  return { socket, ended, connection: Object.assign({ maConn: { socket }, abort }, { rtt }) }
}

describe('checks of connections', () => {
  it('stock libp2p: all at once; ours: each as often, a few at a time, also of those that come later', async () => {
    const connections = Array.from({ length: 50 }, () => ({ rtt: undefined }))
    const { monitor, spread } = await monitorOf(connections)
    assert.equal(monitor.pingIntervalMs, CONNECTION_CHECK_INTERVAL_MS)
    assert.equal(monitor.components.connectionManager.getConnections().length, 50)
    spread()
    assert.equal(monitor.pingIntervalMs, CONNECTION_CHECK_TURN_MS)
    const first = roundOf(monitor)
    assert.ok(first.every((due) => due.length <= Math.ceil(50 / TURNS)))
    // each is another one: how far away its peer is, is noted with it
    for (const [index, due] of first.flat().entries()) due.rtt = index
    assert.deepEqual(new Set(connections.map(({ rtt }) => rtt)), new Set(connections.keys()))
    connections.push({ rtt: undefined })
    assert.equal(roundOf(monitor).flat().length, 51)
  })

  it('spare a peer of whom something came since the last, once it is known how far away it is', async () => {
    const { socket, connection } = createCounted()
    const { monitor, spread } = await monitorOf([connection])
    spread()
    const [first] = roundOf(monitor).flat()
    assert.ok(first !== undefined)
    first.rtt = 7
    assert.equal(connection.rtt, 7)
    socket.bytesRead += 1
    assert.equal(roundOf(monitor).flat().length, 0)
    // nothing more came: it is asked
    assert.equal(roundOf(monitor).flat().length, 1)
  })

  it('end no connection over which something came while the answer was waited for', async () => {
    const { socket, ended, connection } = createCounted(7)
    const { monitor, spread } = await monitorOf([connection])
    spread()
    roundOf(monitor)
    const late = new Error('the answer is late')
    const [busy] = roundOf(monitor).flat()
    socket.bytesRead += 1
    busy?.abort(late)
    assert.deepEqual(ended, [])
    roundOf(monitor)
    const [silent] = roundOf(monitor).flat()
    silent?.abort(late)
    assert.deepEqual(ended, [late])
  })

  it('ask as often as before where nothing comes but the answers', async () => {
    const { socket, connection } = createCounted()
    const { monitor, spread } = await monitorOf([connection])
    spread()
    let asked = 0
    for (let turn = 0; turn < 4 * TURNS; turn++) {
      const due = monitor.components.connectionManager.getConnections()
      if (due.length > 0) socket.bytesRead += 60
      for (const one of due) one.rtt = 7
      asked += due.length
    }
    assert.equal(asked, 4)
  })

  it('end a connection over which something comes, but no answer, again and again', async () => {
    const { socket, ended, connection } = createCounted()
    const { monitor, spread } = await monitorOf([connection])
    spread()
    for (let round = 1; round <= CHECKS_UNANSWERED_MAX; round++) {
      assert.deepEqual(ended, [])
      const [due] = roundOf(monitor).flat()
      socket.bytesRead += 1
      due?.abort(new Error('no answer'))
    }
    assert.equal(ended.length, 1)
  })
})
