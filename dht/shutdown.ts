import type { Libp2p } from '@libp2p/interface'
import { errorMessage } from '#contracts'
import type { Clock, Logger } from '#contracts'
import { STOP_TIMEOUT_MS } from './constants.ts'
import type { HostServices } from './libp2p-options.ts'

/** What libp2p's debounced functions look like. */
interface Debounced {
  stop?(): void
}

/** The timers that libp2p, identify and gossipsub leave behind; each is looked for with care, so that none is required. */
interface LeftoverTimers {
  readonly addressManager: { _updatePeerStoreAddresses?: (() => void) & Debounced }
  readonly identifyPush: { _push?: (() => void) & Debounced }
  readonly pubsub: { status?: { heartbeatTimeout?: { unref?(): void } } }
}

/**
 * Stops libp2p so that nothing holds the process any more. On its own it leaves timers of up to a second: closing a
 * listener makes the address manager write our addresses once more, which makes identify push them to nobody, and
 * gossipsub forgets the timer of its heartbeat.
 */
export async function stopLibp2p(
  libp2p: Libp2p<HostServices>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger }
): Promise<void> {
  dropLeftovers({
    addressManager: libp2p.services.internals.addressManager as LeftoverTimers['addressManager'],
    identifyPush: libp2p.services['identifyPush'] as LeftoverTimers['identifyPush'],
    pubsub: libp2p.services.pubsub as LeftoverTimers['pubsub']
  })
  const done = new AbortController()
  // a sleep holds the process, which libp2p's own timers do not: it would end in the middle of stopping
  const limit = clock.sleep(STOP_TIMEOUT_MS, done.signal).then(
    () => {
      logger.warn('libp2p did not stop in time')
    },
    () => undefined
  )
  const stopping = stop(libp2p).catch((error: unknown) => {
    logger.warn('libp2p did not stop cleanly', { error: errorMessage(error) })
  })
  await Promise.race([stopping, limit])
  done.abort()
}

async function stop(libp2p: Libp2p<HostServices>): Promise<void> {
  // libp2p waits half a second for the close of a connection that the other side is closing at the same time
  await Promise.all(
    libp2p.getConnections().map(async (connection) => {
      await connection.close().catch((error: unknown) => {
        connection.abort(error instanceof Error ? error : new Error('connection not closed'))
      })
    })
  )
  await libp2p.stop()
}

function dropLeftovers({ addressManager, identifyPush, pubsub }: LeftoverTimers): void {
  addressManager._updatePeerStoreAddresses?.stop?.()
  addressManager._updatePeerStoreAddresses = () => undefined
  identifyPush._push?.stop?.()
  identifyPush._push = () => undefined
  pubsub.status?.heartbeatTimeout?.unref?.()
}
