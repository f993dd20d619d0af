import type { KadDHT, QueryEvent } from '@libp2p/kad-dht'
import { MessageType } from '@libp2p/kad-dht'
import type { WatchedLookupOptions } from './name-rules.ts'

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
}

/** The parts of a kad-dht that names use. */
export type NameDht = Pick<KadDHT, 'get' | 'put'>

/** What {@link kadNameRouting} works with. */
export interface NameRoutingComponents {
  /** A kad-dht configured with `createRecordRules`. */
  readonly dht: NameDht
  /** Resolves when there is a peer to ask, or when it is clear that there is none. */
  readonly whenJoined: (signal: AbortSignal) => Promise<unknown>
}

/** How a kad-dht serves names. */
export function kadNameRouting(label: string, { dht, whenJoined }: NameRoutingComponents): NameRouting {
  return {
    label,
    find: async function* (key, { signal }) {
      await whenJoined(signal)
      yield* findInKad(dht, key, signal)
    },
    store: async (key, record, { signal }) => {
      await whenJoined(signal)
      let stored = 0
      for await (const event of dht.put(key, record, { signal })) {
        if (isAnswerTo(MessageType.PUT_VALUE, event) && equals(event.record?.value, record)) stored++
      }
      return stored
    }
  }
}

async function* findInKad(dht: NameDht, key: Uint8Array, signal: AbortSignal): AsyncGenerator<NameAnswer> {
  // kad-dht reports a record that its validator refused as an error without the record, so the validator tells us.
  const refused: Uint8Array[] = []
  const options: WatchedLookupOptions = { signal, onRefused: (record) => void refused.push(record) }
  for await (const event of dht.get(key, options)) {
    if (event.name === 'QUERY_ERROR') {
      const record = refused.shift()
      if (record !== undefined) yield { peer: event.from.toString(), record }
    } else if (isAnswerTo(MessageType.GET_VALUE, event)) {
      const peer = event.from.toString()
      yield event.record === undefined ? { peer } : { peer, record: event.record.value }
    } else if (isAnswerTo(MessageType.PUT_VALUE, event)) {
      // the lookup is over: kad-dht now mends peers that hold older records, one after the other
      continue
    }
  }
}

function isAnswerTo(
  type: MessageType,
  event: QueryEvent
): event is Extract<QueryEvent, { name: 'PEER_RESPONSE' }> {
  return event.name === 'PEER_RESPONSE' && event.messageType === type
}

function equals(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}
