import { networkInterfaces } from 'node:os'
import type { InterfaceAddress } from './reach.ts'

/** What a host needs of the operating system beside libp2p's own transports. */
export interface HostPowers {
  /** The addresses of this machine's network interfaces, loopback included. */
  interfaces(): InterfaceAddress[]
  /** Whether libp2p is being debugged (`DEBUG=libp2p:*`) and shall write its own log. */
  isDebugging?(): boolean
}

/** The operating system itself. */
export const systemHostPowers: HostPowers = {
  interfaces: () =>
    Object.values(networkInterfaces()).flatMap((addresses = []) =>
      addresses.map(({ address, family }) => ({ address, family: family === 'IPv4' ? 4 : 6 }))
    ),
  isDebugging: () => process.env['DEBUG'] !== undefined
}

/** Calls `task` once everything that hangs on what runs now has run, promises included, before anything else happens. */
export function afterThisTurn(task: () => void): void {
  // a tick alone comes before the promises when it is asked for by what the loop calls, such as a socket that has something
  queueMicrotask(() => process.nextTick(task))
}
