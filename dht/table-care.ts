import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import {
  TABLE_CARE_DELAY_MS,
  TABLE_CARE_DIAL_TIMEOUT_MS,
  TABLE_CARE_PARALLEL,
  TABLE_CARE_QUEUE_MAX
} from './constants.ts'
import { startDeadline } from './deadline.ts'
import type { DhtTable } from './dht-service.ts'

/** What caring for a table needs. */
export interface TableCareComponents {
  readonly libp2p: Pick<Libp2p, 'dial' | 'getConnections' | 'addEventListener' | 'removeEventListener'>
  readonly table: DhtTable
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Starts to look after peers of the routing table that hung up: who cannot be reached a moment later is taken out.
 *
 * A seed answers many and asks nobody, so that it would never notice by itself, and go on naming the gone to newcomers.
 */
export function startTableCare(components: TableCareComponents): AsyncDisposable {
  const { libp2p, table, clock, logger } = components
  const stopping = new AbortController()
  const waiting = new Set<string>()
  const onDisconnect = (event: CustomEvent<PeerId>): void => {
    const peerId = event.detail.toString()
    if (waiting.size < TABLE_CARE_QUEUE_MAX && table.peerIds().includes(peerId)) waiting.add(peerId)
  }
  const run = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(TABLE_CARE_DELAY_MS, stopping.signal)
      // those that wait now have waited for a moment; who hangs up meanwhile has its turn after them
      const due = [...waiting]
      waiting.clear()
      const worker = async (): Promise<void> => {
        for (let peerId = due.shift(); peerId !== undefined; peerId = due.shift()) {
          await check(components, peerId, stopping.signal)
        }
      }
      await Promise.all(Array.from({ length: TABLE_CARE_PARALLEL }, worker))
    }
  }
  libp2p.addEventListener('peer:disconnect', onDisconnect)
  const running = run().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('care for the table stopped', { error: errorMessage(error) })
  })
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
      await running
    }
  }
}

async function check(
  { libp2p, table, clock, logger }: TableCareComponents,
  peerId: string,
  signal: AbortSignal
): Promise<void> {
  const peer = peerIdFromString(peerId)
  if (!table.peerIds().includes(peerId) || libp2p.getConnections(peer).length > 0) return
  using limit = startDeadline(clock, TABLE_CARE_DIAL_TIMEOUT_MS, signal)
  try {
    const connection = await libp2p.dial(peer, { signal: limit.signal })
    // it is there; that it hung up was its choice, or that of whoever counts connections
    if (connection.streams.length === 0) await connection.close({ signal: limit.signal })
  } catch (error) {
    signal.throwIfAborted()
    logger.debug('peer is gone', { peerId, error: errorMessage(error) })
    table.remove(peerId)
  }
}
