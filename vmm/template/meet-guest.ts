import type { Clock } from '#contracts'
import { VM_FRAME, type VmFrame } from '../channel/frames.ts'
import { decodeFailed, decodeHello } from '../channel/messages.ts'
import {
  VM_CHANNEL_MOUNTING_VERSION,
  VM_CHANNEL_REHEARSING_VERSION,
  VM_CHANNEL_VERSION,
  VM_START_MS_MAX
} from '../constants.ts'
import { VmmError } from '../errors.ts'
import type { Monitor } from '../machine/monitor.ts'

/** What a guest said of itself. */
export interface GuestGreeting {
  /** Whether it takes a start message that is not its last. */
  readonly canRehearse: boolean
  /** Whether it mounts its image before its start message when it is told to. */
  readonly canMount: boolean
}

/**
 * Waits until a guest says that it waits for its start message. One that says anything else, then or before somebody else listens,
 * is ended.
 *
 * @throws VmmError `ERR_VM_START`, `ERR_VM_CHANNEL`, `ERR_VM_PROGRAM`
 */
export async function meetGuest(
  clock: Clock,
  monitor: Monitor,
  durationMs: number = VM_START_MS_MAX
): Promise<GuestGreeting> {
  const met = Promise.withResolvers<GuestGreeting>()
  const take = ({ type, payload }: VmFrame): void => {
    if (type === VM_FRAME.failed) throw decodeFailed(payload)
    const versions = type === VM_FRAME.hello ? decodeHello(payload) : []
    if (!versions.includes(VM_CHANNEL_VERSION)) {
      throw new VmmError('ERR_VM_CHANNEL', `expected a guest that speaks version ${VM_CHANNEL_VERSION}`)
    }
    met.resolve({
      canRehearse: versions.includes(VM_CHANNEL_REHEARSING_VERSION),
      canMount: versions.includes(VM_CHANNEL_MOUNTING_VERSION)
    })
  }
  const fail = (error: VmmError): void => {
    met.reject(error)
    void monitor.end()
  }
  monitor.listen({ take, fail })
  void monitor.ended.then(() => met.reject(refusal('the guest to say that it is up', monitor)))
  using _limit = clock.after(durationMs, () => met.reject(refusal('the guest in time', monitor)))
  return await met.promise
}

function refusal(expected: string, monitor: Monitor): VmmError {
  return new VmmError('ERR_VM_START', `expected ${expected}`, { detail: monitor.log() })
}
