import type { Connection, Libp2p } from '@libp2p/interface'
import { CHECKS_UNANSWERED_MAX, CONNECTION_CHECK_INTERVAL_MS, CONNECTION_CHECK_TURN_MS } from './constants.ts'

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

/** What is known of a connection. */
interface Note {
  /** When it is its turn. */
  readonly turn: number
  /** What had come over it then, or soon after when it was asked: the answer is no sign of life for the next turn. */
  bytesRead: number
  isAsked: boolean
  /** Checks in a row that were not answered, although something came meanwhile. */
  unanswered: number
}

/** How many turns after a check its answer is counted as come. */
const ANSWERED_TURNS = 3

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
  const noteOf = (connection: Connection): Note => {
    const known = notes.get(connection)
    if (known !== undefined) return known
    const note = { turn: taken++ % turns, bytesRead: 0, isAsked: false, unanswered: 0 }
    notes.set(connection, note)
    return note
  }
  const isDue = (connection: Connection): boolean => {
    const note = noteOf(connection)
    const isAnswered = note.isAsked && (note.turn + ANSWERED_TURNS) % turns === turn
    if (note.turn !== turn && !isAnswered) return false
    const bytesRead = bytesReadOf(connection)
    const isThere = bytesRead !== undefined && bytesRead > note.bytesRead
    note.bytesRead = bytesRead ?? 0
    // the first check says how far away the peer is
    note.isAsked = !isAnswered && (!isThere || connection.rtt === undefined)
    return note.isAsked
  }
  const getConnections = (): CheckedConnection[] => {
    const due = connectionManager.getConnections().filter(isDue)
    turn = (turn + 1) % turns
    return due.map((connection) => spared(connection, noteOf(connection)))
  }
  Object.assign(monitor, {
    pingIntervalMs: CONNECTION_CHECK_TURN_MS,
    components: { connectionManager: { getConnections } }
  })
}

/** The connection, which is not ended when something came over it since now, unless that was so again and again. */
function spared(connection: Connection, note: Note): CheckedConnection {
  const before = bytesReadOf(connection)
  return {
    newStream: async (...of) => await connection.newStream(...of),
    abort: (error) => {
      note.unanswered += 1
      if (bytesReadOf(connection) === before || note.unanswered >= CHECKS_UNANSWERED_MAX)
        connection.abort(error)
    },
    set rtt(ms: number) {
      note.unanswered = 0
      connection.rtt = ms
    }
  }
}

function bytesReadOf(connection: Connection): number | undefined {
  return (connection as Counting).maConn?.socket?.bytesRead
}
