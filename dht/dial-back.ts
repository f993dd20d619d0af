import type { autoNAT } from '@libp2p/autonat'

type Components = Parameters<ReturnType<typeof autoNAT>>[0]

/**
 * AutoNAT whose server dials back. @libp2p/autonat 3.0.28 takes the connection on which it was asked for the one it
 * dialled, finds that it came from another port, and closes it: no address is ever confirmed by a peer that is
 * connected, and whoever asks loses its connection.
 */
export function dialBack<Service>(
  create: (components: Components) => Service
): (components: Components) => Service {
  return (components) => {
    const { connectionManager } = components
    const openConnection: Components['connectionManager']['openConnection'] = async (peer, options) =>
      await connectionManager.openConnection(peer, { ...options, force: true })
    const forcing = override(connectionManager, { openConnection })
    return create(override(components, { connectionManager: forcing }))
  }
}

/** An object as it is but for some of its properties; libp2p's own do not spread. */
function override<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name)
      return typeof value === 'function' && !Object.hasOwn(changes, name)
        ? (value.bind(target) as unknown)
        : value
    }
  })
}
