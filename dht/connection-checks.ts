import type { Connection, Libp2p } from '@libp2p/interface'
import { CONNECTION_CHECK_INTERVAL_MS, CONNECTION_CHECK_TURN_MS } from './constants.ts'

/** What libp2p's monitor of connections has beyond its declared interface; held by the test that shows its fault. */
interface MonitorInternals {
  readonly components: { readonly connectionManager: { getConnections(): CheckedConnection[] } }
  readonly pingIntervalMs: number
}

/** What the monitor does with a connection. */
interface CheckedConnection extends Pick<Connection, 'newStream' | 'abort'> {
  rtt?: number | undefined
}

/** What of a connection over TCP counts what came; held by the test of this file. */
interface Counting {
  readonly maConn?: { readonly socket?: { readonly bytesRead?: number } }
}

/** When it is a connection's turn, and what had come over it then. */
interface Note {
  readonly turn: number
  bytesRead: number
}

/**
 * Has libp2p check some of its connections each second, every one as often as before. It opens a stream for a ping on all of them
 * in the same moment: with fifty neighbours that holds up what else is to be done for as long as hundreds of messages do. To be called
 * before libp2p is started.
 *
 * A peer of whom anything came since the last turn is there, and is not asked; nor is a connection ended over which something came
 * while an answer was waited for: on a busy machine that took longer than libp2p waits, and whoever lost half of its
 * neighbours for that dialled them anew, which made it busier.
 */
export function spreadChecks(libp2p: Libp2p): void {
  const { components } = libp2p as unknown as {
    readonly components: { readonly connectionMonitor: MonitorInternals }
  }
  const monitor = components.connectionMonitor
  const connectionManager = monitor.components.connectionManager as { getConnections(): Connection[] }
  const turns = Math.round(CONNECTION_CHECK_INTERVAL_MS / CONNECTION_CHECK_TURN_MS)
  const notes = new WeakMap<Connection, Note>()
  let taken = 0
  let turn = 0
  const isDue = (connection: Connection): boolean => {
    const note = notes.get(connection) ?? { turn: taken++ % turns, bytesRead: 0 }
    notes.set(connection, note)
    if (note.turn !== turn) return false
    const bytesRead = bytesReadOf(connection)
    const isThere = bytesRead !== undefined && bytesRead > note.bytesRead
    note.bytesRead = bytesRead ?? 0
    // the first check says how far away the peer is
    return !isThere || connection.rtt === undefined
  }
  const getConnections = (): CheckedConnection[] => {
    const due = connectionManager.getConnections().filter(isDue)
    turn = (turn + 1) % turns
    return due.map(spared)
  }
  Object.assign(monitor, {
    pingIntervalMs: CONNECTION_CHECK_TURN_MS,
    components: { connectionManager: { getConnections } }
  })
}

/** The connection, which is not ended when something came over it since now. */
function spared(connection: Connection): CheckedConnection {
  const before = bytesReadOf(connection)
  return {
    newStream: async (...of) => await connection.newStream(...of),
    abort: (error) => {
      if (bytesReadOf(connection) === before) connection.abort(error)
    },
    set rtt(ms: number) {
      connection.rtt = ms
    }
  }
}

function bytesReadOf(connection: Connection): number | undefined {
  return (connection as Counting).maConn?.socket?.bytesRead
}
