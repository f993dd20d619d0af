import type { ComponentLogger, Logger } from '@libp2p/interface'

/**
 * What libp2p logs to while nobody debugs it: nothing. Its own logger makes several objects, and asks whether there is
 * a terminal, for each connection and each stream, even when it writes nothing.
 */
export const quietLogger: ComponentLogger = { forComponent: () => QUIET }

const nothing = (): void => undefined

const QUIET: Logger = Object.assign((): void => undefined, {
  enabled: false,
  error: nothing,
  trace: nothing,
  newScope: (): Logger => QUIET
})
