import type { Logger as LibraryLogger } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Clock } from '#contracts'
import { PACKET_BYTES } from './constants.ts'
import { SimError } from './errors.ts'
import type { Network } from './network.ts'
import { createPipe, type Pipe } from './pipe.ts'
import type { Trace } from './trace.ts'

/** What all connections share. */
export interface ConnectionComponents {
  readonly network: Network
  readonly clock: Clock
  readonly trace: Pick<Trace, 'add'>
}

/** Which end of which connection. */
export interface ConnectionInit {
  readonly from: string
  readonly to: string
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddr: Multiaddr
  readonly log: LibraryLogger
}

type SentData = Parameters<AbstractMultiaddrConnection['sendData']>[0]

/** libp2p cuts what it writes into messages of this size: about what one read of a socket gives. */
const MESSAGE_BYTES_MAX = 64 * 1024

/** One end of a simulated connection. */
export class SimulatedConnection extends AbstractMultiaddrConnection {
  readonly #route: { readonly from: string; readonly to: string }
  readonly #components: ConnectionComponents
  readonly #outgoing: Pipe
  #other: SimulatedConnection | undefined

  constructor(components: ConnectionComponents, init: ConnectionInit) {
    super({ ...init, maxMessageSize: MESSAGE_BYTES_MAX })
    const { network, clock } = components
    this.#components = components
    this.#route = init
    this.#outgoing = createPipe(clock, network.conditions(init.from, init.to), () => {
      this.safeDispatchEvent('drain')
    })
  }

  /** Joins two ends; the network knows of the connection until both have closed. */
  static join(network: Network, near: SimulatedConnection, far: SimulatedConnection): void {
    const link = network.add({
      ...near.#route,
      mend: () => [near, far].forEach((end) => end.#outgoing.mend()),
      fail: () =>
        [near, far].forEach((end) => end.abort(new SimError('ERR_SIM_UNREACHABLE', 'the link is dead')))
    })
    let open = 2
    const pairs = [[near, far] as const, [far, near] as const]
    for (const [end, other] of pairs) {
      end.#other = other
      end.addEventListener('close', () => {
        // nobody reads what is still on its way to here
        other.#outgoing[Symbol.dispose]()
        if (--open === 0) link[Symbol.dispose]()
      })
    }
  }

  sendData(data: SentData): { sentBytes: number; canSendMore: boolean } {
    const bytes = data.slice()
    const canSendMore = this.#send('data', bytes, (other) => other.onData(bytes))
    return { sentBytes: bytes.byteLength, canSendMore }
  }

  async sendClose(): Promise<void> {
    this.#send('close', undefined, (other) => other.onTransportClosed())
  }

  sendReset(): void {
    this.#send('reset', undefined, (other) => other.onRemoteReset())
  }

  sendPause(): void {
    this.#setReading(false)
  }

  sendResume(): void {
    this.#setReading(true)
  }

  #setReading(isReading: boolean): void {
    const other = this.#other
    if (other !== undefined) other.#outgoing.setPaused(!isReading)
  }

  #send(kind: string, bytes: Uint8Array | undefined, deliver: (other: SimulatedConnection) => void): boolean {
    const { trace, clock } = this.#components
    trace.add({ atMs: clock.monotonicMs(), ...this.#route, kind, ...(bytes === undefined ? {} : { bytes }) })
    return this.#outgoing.send(bytes?.byteLength ?? PACKET_BYTES, () => {
      if (this.#other?.status === 'open') deliver(this.#other)
    })
  }
}
