import { errorMessage } from '#contracts'
import { DEFAULT_PORT } from './constants.ts'
import { DhtError } from './errors.ts'
import type { HostPowers } from './powers.ts'
import { planListen } from './reach.ts'
import type { Reach } from './reach.ts'

/** What a user says about listening. */
export interface ListenInit {
  readonly reach: Reach
  /** Exactly these addresses; otherwise they follow from the reach. An empty list listens nowhere. */
  readonly listen?: readonly string[]
  /** The TCP port of the default addresses; 0 takes any free one. Default: {@link DEFAULT_PORT}. */
  readonly port?: number
  /** Taken instead of {@link DEFAULT_PORT} while it is free: where others remember this node. */
  readonly usualPort?: number
  /** Listen for WebSockets on this port too; 0 takes any free one. */
  readonly webSocketPort?: number
}

/** Another port than the default one was taken, because that is occupied. */
export interface PortFallback {
  readonly wanted: number
}

/** Something that was started on a list of addresses. */
export interface Listening<T> {
  readonly started: T
  readonly listen: readonly string[]
  readonly fallback: PortFallback | undefined
}

/**
 * Starts something on the planned addresses; when the default port is occupied, on a free one.
 *
 * @throws {@link DhtError} `ERR_HOST_LISTEN` when that fails, or as {@link planListen} does
 */
export async function startListening<T>(
  init: ListenInit,
  powers: Pick<HostPowers, 'interfaces'>,
  start: (listen: string[]) => Promise<T>
): Promise<Listening<T>> {
  const { reach, listen, port = init.usualPort ?? DEFAULT_PORT, webSocketPort } = init
  const plan = (free: boolean): string[] =>
    planListen(reach, {
      port: free ? 0 : port,
      interfaces: powers.interfaces(),
      ...(listen === undefined ? {} : { listen }),
      ...(webSocketPort === undefined ? {} : { webSocketPort: free ? 0 : webSocketPort })
    })
  const planned = plan(false)
  try {
    return { started: await start(planned), listen: planned, fallback: undefined }
  } catch (cause) {
    // a port that the user asked for is not silently replaced by another
    const isOurChoice = listen === undefined && init.port === undefined && webSocketPort === undefined
    if (!isOurChoice || !errorMessage(cause).includes('EADDRINUSE')) throw listenError(planned, cause)
  }
  const replanned = plan(true)
  try {
    return { started: await start(replanned), listen: replanned, fallback: { wanted: port } }
  } catch (cause) {
    throw listenError(replanned, cause)
  }
}

function listenError(listen: readonly string[], cause: unknown): unknown {
  if (!(cause instanceof Error) || cause.name !== 'UnsupportedListenAddressesError') return cause
  const reason = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/.exec(cause.message)?.[1]
  const why = reason === undefined ? '' : `: ${LISTEN_REASONS[reason] ?? reason}`
  return new DhtError('ERR_HOST_LISTEN', `could not listen on ${listen.join(', ')}${why}`, { cause })
}

const LISTEN_REASONS: Partial<Record<string, string>> = {
  EADDRINUSE: 'the port is occupied',
  EACCES: 'the port needs more rights than this user has',
  EADDRNOTAVAIL: 'this machine has no such address'
}
