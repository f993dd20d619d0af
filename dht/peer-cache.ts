import type { AbortOptions } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { NotFoundError } from 'interface-store'
import type { Datastore, Key } from 'interface-datastore'
import { PEERS_CACHED_MAX } from './constants.ts'

/** Where libp2p's peer store keeps its peers. */
export const PEERS_PREFIX = '/peers/'

/**
 * A datastore that has the peers met last in memory too: libp2p's peer store reads a peer again for each thing it writes
 * down about it, some five times in every new connection. What is written goes to the inner datastore as before.
 *
 * This node's own record is in memory only. It is made anew by each start, protocol by protocol: 17 writes in a row.
 *
 * @param inner - keeps everything else
 */
export function cachePeers(inner: Datastore, ownPeerId: string): Datastore {
  const ownKey = `${PEERS_PREFIX}${peerIdFromString(ownPeerId).toCID().toString()}`
  const cached = new Map<string, Uint8Array>()
  const remember = (key: string, value: Uint8Array): void => {
    cached.delete(key)
    cached.set(key, value)
    if (cached.size <= PEERS_CACHED_MAX) return
    const oldest = cached.keys().find((name) => name !== ownKey)
    if (oldest !== undefined) cached.delete(oldest)
  }
  const get = async (key: Key, options?: AbortOptions): Promise<Uint8Array> => {
    const name = key.toString()
    if (!name.startsWith(PEERS_PREFIX)) return await inner.get(key, options)
    const known = cached.get(name)
    if (known !== undefined) {
      remember(name, known)
      return known
    }
    if (name === ownKey) throw new NotFoundError('this node has not written itself down yet')
    const value = await inner.get(key, options)
    // what was written meanwhile is newer
    if (!cached.has(name)) remember(name, value)
    return value
  }
  const put = async (key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> => {
    const name = key.toString()
    if (name.startsWith(PEERS_PREFIX)) remember(name, value)
    return name === ownKey ? key : await inner.put(key, value, options)
  }
  const remove = async (key: Key, options?: AbortOptions): Promise<void> => {
    cached.delete(key.toString())
    await inner.delete(key, options)
  }
  const replaced: Readonly<Record<string, unknown>> = { get, put, delete: remove }
  return new Proxy(inner, {
    get: (target, name) => {
      const ours = typeof name === 'string' ? replaced[name] : undefined
      if (ours !== undefined) return ours
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    }
  })
}
