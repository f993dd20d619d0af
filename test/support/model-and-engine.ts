import { BookPeer } from '../../dht/query/peer-book.ts'
import { runQuery, type QueryComponents } from '../../dht/query/run-query.ts'
import { TABLE_RULES } from '../../sim/model/constants.ts'
import type { Handle } from '../../sim/model/identities.ts'
import { apart, ModelRandom, slotOf } from '../../sim/model/identities.ts'
import { LookupModel } from '../../sim/model/lookup-model.ts'
import { createVirtualClock } from './virtual-clock.ts'

/** How the two are compared. */
export interface BothInit {
  readonly nodeCount: number
  readonly seed: number
  readonly lookups: number
}

/** What lookups cost, all together. */
export interface LookupCosts {
  readonly messages: number
  readonly rounds: number
}

/** What came of it. */
export interface BothResult {
  /** How many lookups found the same peers, and of how many. */
  readonly same: number
  readonly of: number
  readonly model: LookupCosts
  readonly engine: LookupCosts
}

const LATENCY_MS = 50
const COUNT = 20

/** Lets the query engine and the model look for the same places from the same nodes, over the tables of one model. */
export async function lookUpBoth({ nodeCount, seed, lookups }: BothInit): Promise<BothResult> {
  // nobody leaves: a lookup of the engine leaves the tables as they are, and those of the model find nobody to take out
  const init = { nodeCount, seed, tables: TABLE_RULES, growMs: 120_000, halfLifeMs: 1e9 }
  const model = new LookupModel(init)
  model.run(300_000)
  model.levelLatency(LATENCY_MS)
  const random = new ModelRandom(seed)
  const total = { model: { messages: 0, rounds: 0 }, engine: { messages: 0, rounds: 0 } }
  let same = 0
  for (let done = 0; done < lookups; done++) {
    const slot = random.below(nodeCount)
    const target = random.word()
    const engine = await lookUpReal(model, slot, target)
    model.lookFrom(slot, target)
    model.run(20_000)
    const modelled = model.measured.at(-1)
    if (modelled === undefined) throw new Error('expected the lookup to end')
    if (String(modelled.found) === String(engine.found)) same++
    total.model.messages += modelled.messages
    total.model.rounds += modelled.rounds
    total.engine.messages += engine.messages
    total.engine.rounds += engine.rounds
  }
  return { same, of: lookups, ...total }
}

/** One lookup of the real search and what drives it; nothing of the model changes. */
async function lookUpReal(
  model: LookupModel,
  slot: number,
  target: number
): Promise<LookupCosts & { readonly found: Handle[] }> {
  const { tables } = model
  const clock = createVirtualClock()
  const peers = new Map<Handle, BookPeer>()
  const handles = new Map<BookPeer, Handle>()
  const peerOf = (handle: Handle): BookPeer => {
    const known = peers.get(handle)
    if (known !== undefined) return known
    const peer = Object.assign(new BookPeer(wordBytes(handle)), { kadId: placeOf(tables.idOf(handle)) })
    peers.set(handle, peer)
    handles.set(peer, handle)
    return peer
  }
  const nearest = (of: number, except: Handle): BookPeer[] =>
    Array.from(tables.found.slice(0, tables.nearest(of, target, tables.idOf(except))), (away) =>
      peerOf(tables.handleOf(apart(away, target)))
    )
  const own = tables.lives[slot] ?? 0
  let [messages, rounds, depth] = [0, 0, 0]
  const components: QueryComponents = {
    clock,
    book: {
      of: (id) => peerOf(wordOf(id)),
      ofText: () => {
        throw new Error('no text here')
      },
      named: ({ id }) => peerOf(wordOf(id)),
      recall: () => undefined
    },
    table: { nearest: () => nearest(slot, own), offer: () => undefined },
    transport: {
      isConnected: (peer) => tables.has(slot, tables.idOf(handles.get(peer) ?? 0)),
      tell: () => Promise.reject(new Error('nothing is told')),
      request: async (peer, { type }) => {
        const asked = ++messages && depth + 1
        await clock.sleep(2 * LATENCY_MS)
        // what is asked next is asked because of this answer
        depth = asked
        rounds = Math.max(rounds, asked)
        const closer = nearest(slotOf(handles.get(peer) ?? 0), own).map(({ id }) => ({ id, multiaddrs: [] }))
        return { type, closer }
      }
    }
  }
  const { signal } = new AbortController()
  const place = placeOf(target)
  const query = runQuery(components, {
    ...{ target: place, count: COUNT, goal: 'nearest', own: peerOf(own), signal },
    message: { type: 4, key: place }
  })
  let isDone = false
  void query.finally(() => (isDone = true))
  while (!isDone) await clock.advance(2 * LATENCY_MS)
  const search = await query
  return { messages, rounds, found: search.nearest().map((peer) => handles.get(peer) ?? 0) }
}

function wordBytes(word: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, word)
  return bytes
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

/** A place whose first 32 bits are these. */
function placeOf(word: number): Uint8Array {
  const place = new Uint8Array(32)
  place.set(wordBytes(word))
  return place
}
