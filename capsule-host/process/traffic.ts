import type { Clock } from '#contracts'
import { FRAMES_PER_SECOND_MAX, RATE_PATIENCE_MS } from '../constants.ts'
import { CapsuleError } from '../errors.ts'
import type { CapsuleLimits } from '../limits.ts'
import { Rate } from './rate.ts'

/** What a process hands over at a time. */
export interface TrafficFrame {
  readonly bytes: number
  /** A message on the runtime channel, a call on files, a piece of a recording, or anything else. */
  readonly kind: 'call' | 'file' | 'trace' | 'output'
}

/** What {@link Traffic} works with. */
export interface TrafficComponents {
  clock: Clock
  /** What all capsules together may hand over in a second. */
  shared?: Pick<Rate, 'take'> | undefined
}

/**
 * What one capsule hands to the host, counted and slowed down to its limits. A capsule that goes faster waits; one that
 * never stops to is ended.
 */
export class Traffic {
  readonly #shared: Pick<Rate, 'take'> | undefined
  readonly #limits: CapsuleLimits
  readonly #frames: Rate
  readonly #bytes: Rate
  readonly #calls: Rate
  #outputBytes = 0

  constructor({ clock, shared }: TrafficComponents, limits: CapsuleLimits) {
    this.#shared = shared
    this.#limits = limits
    this.#frames = new Rate(clock, FRAMES_PER_SECOND_MAX)
    this.#bytes = new Rate(clock, limits.bytesPerSecondMax)
    this.#calls = new Rate(clock, limits.callsPerSecondMax)
  }

  /** Bytes that counted as output until now. */
  get outputBytes(): number {
    return this.#outputBytes
  }

  /**
   * Takes one frame, whatever its type: a process that broke out of its engine may send any.
   *
   * @throws CapsuleError `ERR_CAPSULE_OUTPUT_LIMIT`, `ERR_CAPSULE_RATE_LIMIT`; the reason of `signal`
   */
  async takeFrame(frame: TrafficFrame, signal: AbortSignal): Promise<void> {
    const { outputBytesMax, bytesPerSecondMax } = this.#limits
    // What goes into files is bounded by the storage they are given, a recording by its own bound.
    if (frame.kind === 'call' || frame.kind === 'output') this.#outputBytes += frame.bytes
    if (this.#outputBytes > outputBytesMax) {
      throw new CapsuleError(
        'ERR_CAPSULE_OUTPUT_LIMIT',
        `the capsule wrote more than ${outputBytesMax} bytes`
      )
    }
    await this.#frames.take(1, signal)
    // A recording says again what the capsule was told; that must not end a run which goes well unrecorded.
    if (frame.kind !== 'trace') await this.#bytes.take(frame.bytes, signal)
    if (this.#bytes.heldMs > RATE_PATIENCE_MS) throw tooFast(`${bytesPerSecondMax} bytes`)
    // Calls are few and short by a limit of their own, a recording is bounded and asked for; neither queues up behind what
    // others pour out.
    if (frame.kind === 'output' || frame.kind === 'file') await this.#shared?.take(frame.bytes, signal)
  }

  /**
   * Takes so many messages on the runtime channel.
   *
   * @throws CapsuleError `ERR_CAPSULE_RATE_LIMIT`; the reason of `signal`
   */
  async takeCalls(count: number, signal: AbortSignal): Promise<void> {
    await this.#calls.take(count, signal)
    if (this.#calls.heldMs > RATE_PATIENCE_MS) throw tooFast(`${this.#limits.callsPerSecondMax} messages`)
  }
}

function tooFast(what: string): CapsuleError {
  return new CapsuleError(
    'ERR_CAPSULE_RATE_LIMIT',
    `the capsule tried to send more than ${what} a second for ${RATE_PATIENCE_MS / 1000} s without a pause`
  )
}
