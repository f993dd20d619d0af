import { createJsonLinesDecoder, encodeJsonLine, type Clock } from '#contracts'
import { VM_CONTROL_BYTES_MAX, VM_CONTROL_MS_MAX } from '../constants.ts'
import { VmmError } from '../errors.ts'
import type { MonitorPair, MonitorProcess } from '../powers.ts'

/** Tells a monitor what to do, over QEMU's Machine Protocol: one thing after the other. */
export interface MonitorControl {
  /**
   * Tells it one thing and waits until it is done.
   *
   * @throws VmmError `ERR_VM_START` when it is refused, not done in time, or the monitor ended
   */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<void>
  /**
   * Moves the machine's state out or in and waits until that is done. Its memory stays where it is.
   *
   * @throws VmmError as {@link MonitorControl.execute}
   */
  move(command: 'migrate' | 'migrate-incoming', uri: string): Promise<void>
}

interface Waiting {
  readonly what: string
  /** Whether a message is what it waits for. */
  takes(message: ControlMessage): boolean
  readonly done: PromiseWithResolvers<void>
}

interface ControlMessage {
  readonly return?: unknown
  readonly error?: { readonly desc?: unknown }
  readonly event?: unknown
  readonly data?: { readonly status?: unknown }
  readonly QMP?: unknown
}

/** Files that are memory are left where they are; ends of moves are told. */
const CAPABILITIES = ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true }))

/**
 * Takes up the connection to a monitor.
 *
 * @see https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html
 */
export function createMonitorControl(
  clock: Clock,
  process: Pick<MonitorProcess, 'ended'>,
  pair: MonitorPair
): MonitorControl {
  return new QmpControl(clock, process, pair)
}

class QmpControl implements MonitorControl {
  readonly #clock: Clock
  readonly #pair: MonitorPair
  readonly #waiting: Waiting[] = []
  readonly #ready: Promise<void>
  #failure: VmmError | undefined

  constructor(clock: Clock, process: Pick<MonitorProcess, 'ended'>, pair: MonitorPair) {
    this.#clock = clock
    this.#pair = pair
    void this.#read()
    void process.ended.then(() => this.#fail('its monitor ended'))
    this.#ready = this.#begin()
    // Who never tells it anything learns of its end elsewhere.
    this.#ready.catch(() => undefined)
  }

  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#ready
    await this.#tell(command, args)
  }

  async move(command: 'migrate' | 'migrate-incoming', uri: string): Promise<void> {
    await this.#ready
    const moved = this.#expect(`the end of ${command}`, ({ event, data }) => {
      if (event !== 'MIGRATION') return false
      if (data?.status === 'failed') throw refusal(command, 'it failed')
      return data?.status === 'completed'
    })
    await Promise.all([this.#tell(command, { uri }), moved])
  }

  async #begin(): Promise<void> {
    await this.#expect('a greeting', ({ QMP }) => QMP !== undefined)
    await this.#tell('qmp_capabilities')
    await this.#tell('migrate-set-capabilities', { capabilities: CAPABILITIES })
  }

  async #tell(command: string, args?: Readonly<Record<string, unknown>>): Promise<void> {
    const answered = this.#expect(command, ({ return: returned, error }) => {
      if (error !== undefined) throw refusal(command, printable(error.desc))
      return returned !== undefined
    })
    const line = encodeJsonLine({ execute: command, ...(args === undefined ? {} : { arguments: args }) })
    this.#pair.write(Buffer.from(line))
    await answered
  }

  async #expect(what: string, takes: Waiting['takes']): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ what, takes, done })
    using _limit = this.#clock.after(VM_CONTROL_MS_MAX, () => this.#fail('not in time'))
    await done.promise
  }

  async #read(): Promise<void> {
    const decoder = createJsonLinesDecoder(VM_CONTROL_BYTES_MAX)
    try {
      for await (const chunk of this.#pair.incoming) {
        for (const message of decoder.push(chunk)) this.#take(message)
      }
      this.#fail('it said no more')
    } catch {
      this.#fail('it said what is no message')
    }
  }

  #take(message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    for (const waiting of this.#waiting) {
      try {
        if (!waiting.takes(message)) continue
        waiting.done.resolve()
      } catch (thrown) {
        waiting.done.reject(thrown)
      }
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      return
    }
  }

  /** Whatever is waited for does not come any more. */
  #fail(how: string): void {
    this.#failure ??= refusal('what it is told', how)
    for (const { what, done } of this.#waiting.splice(0)) done.reject(refusal(what, how))
  }
}

const PRINTED_CHARS_MAX = 200

function printable(value: unknown): string {
  return typeof value === 'string'
    ? value.replaceAll(/\p{Cc}/gu, ' ').slice(0, PRINTED_CHARS_MAX)
    : 'no reason'
}

function refusal(what: string, how: string): VmmError {
  return new VmmError('ERR_VM_START', `expected of the monitor ${what}, ${how}`)
}
