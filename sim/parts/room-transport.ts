import { hash } from 'node:crypto'
import type { CID } from 'multiformats/cid'
import type { BareDht } from '#dht'
import type { RequestHandler, RoomPeer, RoomTransport, TopicHandler } from '#rooms'
import { SimError } from '../errors.ts'
import type { Gauge } from './gauges.ts'
import type { Responder, RunningNode, Surroundings } from './running-node.ts'
import { addressOf } from './sim-node.ts'
import type { Place, Station } from './wire.ts'

/** The transport of rooms over a stub network: searches go through our DHT, topics are flooded over open connections. */
export interface StubRoomTransport extends RoomTransport {
  /** A connection was opened, or is gone. */
  linked(to: Place, isOpen: boolean): void
  gauges(): readonly Gauge[]
}

/** What it is made of. */
export interface RoomTransportComponents {
  readonly around: Surroundings
  readonly station: Station
  readonly dht: BareDht
  readonly ask: RunningNode['ask']
  readonly responders: Map<string, Responder>
}

/** Messages of which it is remembered that they came before. */
const SEEN_MAX = 64
const QUICK_PEERS = 6

/** Creates the transport of one running node. */
export function createRoomTransport(components: RoomTransportComponents): StubRoomTransport {
  return new StubTransport(components)
}

class StubTransport implements StubRoomTransport {
  readonly #components: RoomTransportComponents
  readonly #topics = new Map<string, TopicHandler>()
  readonly #joins = new Map<string, Set<(peerId: string) => void>>()
  readonly #serving = new Map<string, { handler: RequestHandler; requestBytesMax: number }>()
  /** The topics of those we are connected to, as they told us. */
  readonly #theirs = new Map<Place, Set<string>>()
  readonly #seen = new Set<string>()

  constructor(components: RoomTransportComponents) {
    this.#components = components
    components.responders.set('room', async (...message) => await this.#answer(...message))
  }

  linked(to: Place, isOpen: boolean): void {
    if (isOpen) for (const topic of this.#topics.keys()) this.#tell(to, topic, true)
    else this.#theirs.delete(to)
  }

  gauges(): readonly Gauge[] {
    return [{ name: 'messages remembered', size: this.#seen.size, max: SEEN_MAX }]
  }

  addresses(): readonly string[] {
    return [addressOf(this.#components.station.place)]
  }

  async provide(cid: CID, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { stored } = await this.#components.dht.queries.provide(cid.multihash.bytes, { signal })
    if (stored === 0) throw refused('an announcement')
  }

  async *findProviders(
    cid: CID,
    { signal, quick }: { readonly signal: AbortSignal; readonly quick: boolean }
  ): AsyncGenerator<RoomPeer> {
    const { dht, around } = this.#components
    const key = cid.multihash.bytes
    const answers = quick
      ? dht.queries.askNearest(key, QUICK_PEERS, signal)
      : dht.queries.findProviders(key, signal)
    for await (const { providers } of answers) {
      for (const { peerId } of providers) {
        const place = around.placeOf(peerId)
        if (place !== undefined) yield { peerId, multiaddrs: [addressOf(place)] }
      }
    }
  }

  async connect({ peerId }: RoomPeer, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { around, station } = this.#components
    await around.wire.connect(station, this.#placeOf(peerId), signal)
  }

  async request(...[peerId, protocol, bytes, o]: Parameters<RoomTransport['request']>): Promise<Uint8Array> {
    const kind = `room:ask ${protocol}`
    const answer = await this.#components.ask(this.#placeOf(peerId), { kind, bytes, signal: o.signal })
    if (answer.length > o.responseBytesMax) throw refused('an answer that is too large')
    return answer
  }

  async serve(
    protocol: string,
    handler: RequestHandler,
    { requestBytesMax }: { readonly requestBytesMax: number }
  ): Promise<AsyncDisposable> {
    if (this.#components.around.plant.servesRoom(protocol)) {
      this.#serving.set(protocol, { handler, requestBytesMax })
    }
    return { [Symbol.asyncDispose]: async () => void this.#serving.delete(protocol) }
  }

  subscribe(topic: string, handler: TopicHandler): Disposable {
    this.#topics.set(topic, handler)
    this.#tellAll(topic, true)
    return {
      [Symbol.dispose]: () => {
        this.#topics.delete(topic)
        this.#tellAll(topic, false)
      }
    }
  }

  async publish(topic: string, bytes: Uint8Array): Promise<{ readonly recipients: number }> {
    this.#note(bytes)
    return { recipients: this.#flood(topic, bytes) }
  }

  peersOf(topic: string): readonly string[] {
    return [...this.#theirs].flatMap(([place, topics]) => (topics.has(topic) ? [this.#peerIdAt(place)] : []))
  }

  onPeerJoin(topic: string, handler: (peerId: string) => void): Disposable {
    const handlers = this.#joins.get(topic) ?? new Set()
    this.#joins.set(topic, handlers.add(handler))
    return { [Symbol.dispose]: () => void handlers.delete(handler) }
  }

  async #answer(from: Place, bytes: Uint8Array, detail: string): Promise<{ bytes: Uint8Array } | undefined> {
    const at = detail.indexOf(' ')
    const [verb, what] = [detail.slice(0, at), detail.slice(at + 1)]
    if (verb === 'in' || verb === 'out') this.#heardOf(from, what, verb === 'in')
    else if (verb === 'topic') {
      const handler = this.#topics.get(what)
      if (handler === undefined || !this.#note(bytes)) return undefined
      if (handler({ from: this.#peerIdAt(from), bytes }) === 'accept') this.#flood(what, bytes, from)
    } else {
      const served = this.#serving.get(what)
      if (served === undefined || bytes.length > served.requestBytesMax) throw refused(what)
      const { signal } = new AbortController()
      return { bytes: await served.handler({ peerId: this.#peerIdAt(from), bytes, signal }) }
    }
    return undefined
  }

  /** False when it came before. */
  #note(bytes: Uint8Array): boolean {
    const key = hash('sha256', bytes, 'base64')
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    const [oldest = ''] = this.#seen
    if (this.#seen.size > this.#components.around.plant.bound(SEEN_MAX)) this.#seen.delete(oldest)
    return true
  }

  #flood(topic: string, bytes: Uint8Array, except?: Place): number {
    const { around, station } = this.#components
    const { own, others } = around.plant.fanOut
    let count = 0
    for (const [place, topics] of this.#theirs) {
      if (place === except || !topics.has(topic)) continue
      if (count >= (except === undefined ? own : others)) break
      if (around.wire.post(station, place, { kind: `room:topic ${topic}`, bytes })) count += 1
    }
    return count
  }

  #tellAll(topic: string, isIn: boolean): void {
    const { around, station } = this.#components
    for (const place of around.wire.links(station.place)) this.#tell(place, topic, isIn)
  }

  #tell(place: Place, topic: string, isIn: boolean): void {
    const { around, station } = this.#components
    const kind = `room:${isIn ? 'in' : 'out'} ${topic}`
    around.wire.post(station, place, { kind, bytes: new Uint8Array(1) })
  }

  #heardOf(from: Place, topic: string, isIn: boolean): void {
    const topics = this.#theirs.get(from) ?? new Set<string>()
    const isNew = isIn && !topics.has(topic)
    if (isIn) this.#theirs.set(from, topics.add(topic))
    else topics.delete(topic)
    if (isNew) for (const handler of this.#joins.get(topic) ?? []) handler(this.#peerIdAt(from))
  }

  #peerIdAt(place: Place): string {
    return this.#components.around.nodeAt(place)?.peer.peerId ?? ''
  }

  #placeOf(peerId: string): Place {
    const place = this.#components.around.placeOf(peerId)
    if (place === undefined) throw refused(peerId)
    return place
  }
}

function refused(what: string): SimError {
  return new SimError('ERR_SIM_UNREACHABLE', `expected somebody who takes it, got nobody: ${what}`)
}
