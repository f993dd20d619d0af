import type { Connection, Libp2p } from '@libp2p/interface'
import { CONNECTION_CHECK_INTERVAL_MS, CONNECTION_CHECK_TURN_MS } from './constants.ts'

/** What libp2p's monitor of connections has beyond its declared interface; held by the test that shows its fault. */
interface MonitorInternals {
  readonly components: { readonly connectionManager: { getConnections(): Connection[] } }
  readonly pingIntervalMs: number
}

/**
 * Has libp2p check some of its connections each second, every one as often as before. It opens a stream for a ping on all of them
 * in the same moment: with fifty neighbours that holds up what else is to be done for as long as hundreds of messages do. To be called
 * before libp2p is started.
 */
export function spreadChecks(libp2p: Libp2p): void {
  const { components } = libp2p as unknown as {
    readonly components: { readonly connectionMonitor: MonitorInternals }
  }
  const monitor = components.connectionMonitor
  const { connectionManager } = monitor.components
  const turns = Math.round(CONNECTION_CHECK_INTERVAL_MS / CONNECTION_CHECK_TURN_MS)
  const turnOf = new WeakMap<Connection, number>()
  let taken = 0
  let turn = 0
  const getConnections = (): Connection[] => {
    const all = connectionManager.getConnections()
    for (const connection of all) {
      if (!turnOf.has(connection)) turnOf.set(connection, taken++ % turns)
    }
    const due = all.filter((connection) => turnOf.get(connection) === turn)
    turn = (turn + 1) % turns
    return due
  }
  Object.assign(monitor, {
    pingIntervalMs: CONNECTION_CHECK_TURN_MS,
    components: { connectionManager: { getConnections } }
  })
}
