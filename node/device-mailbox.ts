import { hash } from 'node:crypto'
import { createRecent, errorCode, type Clock, type Logger } from '#contracts'
import type { Host } from '#dht'
import type { Did } from '#did'
import { MAILBOX_READ_MS, type Mailbox } from '#rooms'

/** What reading the mailbox of a device works with. */
export interface DeviceMailboxComponents {
  readonly host: Pick<Host, 'onPeer' | 'peers'>
  readonly mailbox: Pick<Mailbox, 'collect'>
  readonly clock: Clock
  readonly logger: Logger
}

/** Whose mailbox, and who takes what is in it. */
export interface DeviceMailboxInit {
  readonly device: Did
  /** Takes one item; what it throws stops nothing, and the item is tried again the next time. */
  readonly take: (bytes: Uint8Array) => Promise<void>
}

/** Items that are known again. */
const COLLECTED_MAX = 4_096

/** Reads the mailbox of this device until disposed: soon after it met somebody, then from time to time. */
export function startReadingMailbox(
  components: DeviceMailboxComponents,
  { device, take }: DeviceMailboxInit
): AsyncDisposable {
  const { host, mailbox, clock, logger } = components
  const stopping = new AbortController()
  const { signal } = stopping
  const known = createRecent<true>(COLLECTED_MAX)
  const takeOne = async (bytes: Uint8Array): Promise<void> => {
    const name = hash('sha256', bytes, 'base64')
    if (known.get(name) === true) return
    try {
      await take(bytes)
      known.set(name, true)
    } catch (error) {
      // Anybody may leave anything here: what is behind it is read all the same.
      logger.debug('mailbox item not taken', { code: errorCode(error) })
    }
  }
  const collect = async (): Promise<void> => {
    for await (const bytes of mailbox.collect({ device }, { signal })) {
      signal.throwIfAborted()
      await takeOne(bytes)
    }
  }
  const steps = createSteps(host)
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const { waitMs, cut } = steps.next()
      const isCut = await clock.sleep(waitMs, AbortSignal.any([signal, cut])).then(
        () => false,
        () => true
      )
      if (isCut || host.peers().length === 0) continue
      await collect().catch((error: unknown) => logger.debug('mailbox not read', { code: errorCode(error) }))
    }
  }
  const running = run()
  return {
    [Symbol.asyncDispose]: async () => {
      steps[Symbol.dispose]()
      stopping.abort(new Error('private rooms stop'))
      await running
    }
  }
}

interface Steps extends Disposable {
  /** How long to wait; `cut` aborts when somebody came after a time alone. */
  next(): { readonly waitMs: number; readonly cut: AbortSignal }
}

/** The waits before each reading, from the first one on whenever this node was alone. */
function createSteps(host: DeviceMailboxComponents['host']): Steps {
  let reads = 0
  let isAlone = host.peers().length === 0
  let waiting = new AbortController()
  const watching = host.onPeer(({ type }) => {
    if (type === 'connected' && isAlone) {
      reads = 0
      waiting.abort(new Error('somebody came'))
    }
    isAlone = type !== 'connected' && host.peers().length === 0
  })
  return {
    next: () => {
      waiting = new AbortController()
      const waitMs = MAILBOX_READ_MS[Math.min(reads, MAILBOX_READ_MS.length - 1)] ?? 0
      reads++
      return { waitMs, cut: waiting.signal }
    },
    [Symbol.dispose]: () => watching[Symbol.dispose]()
  }
}
