import type { Confidence, Judge } from './confidence.ts'
import type { QueryEngine, StartOptions } from './query/index.ts'

/** What one peer of a DHT answered when asked for a name. */
export interface NameAnswer {
  /** The PeerId of who answered. */
  readonly peer: string
  /** The record it holds, not yet trusted; `undefined` when it has none. */
  readonly record?: Uint8Array
}

/** A DHT as names need it: where records are looked up and stored. */
export interface NameRouting {
  /** Which DHT this is, for logs and reports. */
  readonly label: string
  /**
   * Asks the peers closest to `key`, an answer each, and ends when they have been asked. Peers that do not answer are
   * left out. Ends early, or throws the signal's reason, when `signal` aborts.
   */
  find(key: Uint8Array, o: { readonly signal: AbortSignal }): AsyncIterable<NameAnswer>
  /** Stores a record with the peers closest to `key` and returns how many of them acknowledged it. */
  store(key: Uint8Array, record: Uint8Array, o: { readonly signal: AbortSignal }): Promise<number>
  /** How far what these peers answered can be trusted. */
  judge?(key: Uint8Array, peerIds: readonly string[]): Confidence
}

/** What {@link kadNameRouting} works with. */
export interface NameRoutingComponents {
  readonly queries: Pick<QueryEngine, 'getValue' | 'putValue'>
  /** Resolves when there is a peer to ask, or when it is clear that there is none. */
  readonly whenJoined: (signal: AbortSignal) => Promise<unknown>
  /** Peers that our owner pinned, to ask by a way of their own while our routing table may be full of attackers. */
  readonly anchors?: () => readonly string[]
  /** Says how far answers can be trusted. */
  readonly judge?: Judge
}

/** How a DHT serves names. */
export function kadNameRouting(label: string, components: NameRoutingComponents): NameRouting {
  const { queries, whenJoined, judge, anchors } = components
  return {
    label,
    ...(judge === undefined ? {} : { judge: judge.judge }),
    find: async function* (key, { signal }) {
      await whenJoined(signal)
      const asked = new Set<string>()
      const pinned = anchors?.() ?? []
      // they come first, for a search ends when enough peers have answered
      const starts = pinned.length === 0 ? [{}] : [{ from: pinned }, {}]
      const heard: StartOptions = starts.length > 1 ? { heard: new Map() } : {}
      for (const start of starts) {
        for await (const { peer, value } of queries.getValue(key, signal, { ...start, ...heard })) {
          const { peerId } = peer
          if (asked.has(peerId)) continue
          asked.add(peerId)
          yield value === undefined ? { peer: peerId } : { peer: peerId, record: value }
        }
      }
    },
    store: async (key, record, { signal }) => {
      await whenJoined(signal)
      return await queries.putValue(key, record, signal)
    }
  }
}
