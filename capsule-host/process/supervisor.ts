import type { Clock } from '#contracts'
import { PROCESS_END_MS_MAX, PROCESS_LOG_BYTES_MAX } from '../constants.ts'
import type { HostPowers, SpawnEnd, SpawnedProcess } from '../powers.ts'

const STATUS_BYTES_MAX = 4096
const CHILD_PID = /"child-pid"\s*:\s*(\d+)/

/** A sandboxed process, watched: its own words are kept, and it can be ended with all that belongs to it. */
export interface Supervisor {
  /** The end of what the process said on standard error, not the capsule. */
  readonly log: string
  /**
   * The process the program runs in, as this machine numbers it; `undefined` when it ended before that was known. Whoever
   * uses it may find it gone.
   */
  readonly pid: Promise<number | undefined>
  /** Ends the process and its sandbox and resolves when nothing is left. Idempotent. */
  end(): Promise<SpawnEnd>
}

/**
 * Watches `process`. In a sandbox it is two: bubblewrap outside, that waits, and the one inside that everything hangs on.
 * The inner one is killed first, so that the outer one buries it and nobody is left to the machine's init.
 */
export function superviseProcess(
  components: { clock: Clock; powers: Pick<HostPowers, 'killProcess'> },
  process: SpawnedProcess,
  { isSandboxed }: { isSandboxed: boolean }
): Supervisor {
  const { clock, powers } = components
  const log = keepTail(process.stderr, PROCESS_LOG_BYTES_MAX)
  const innerPid = isSandboxed ? findInnerPid(process.status) : Promise.resolve(process.pid)
  let ending: Promise<SpawnEnd> | undefined

  const end = async (): Promise<SpawnEnd> => {
    using _lastResort = clock.after(PROCESS_END_MS_MAX, () => process.kill())
    const pid = await Promise.race([innerPid, process.ended.then(() => undefined)])
    if (pid === undefined) process.kill()
    else powers.killProcess(pid)
    const ended = await process.ended
    process.closeOutput()
    await log.done
    return ended
  }
  return {
    get log() {
      return log.text()
    },
    pid: Promise.race([innerPid, process.ended.then(() => undefined)]),
    end: () => (ending ??= end())
  }
}

/** The process everything in the sandbox hangs on; `undefined` when bubblewrap ended without naming it. */
function findInnerPid(status: AsyncIterable<Uint8Array>): Promise<number | undefined> {
  const found = Promise.withResolvers<number | undefined>()
  const read = async (): Promise<void> => {
    const text = new TextDecoder()
    let said = ''
    // To its end: bubblewrap dies of a closed pipe when it says how the inner process ended.
    for await (const chunk of status) {
      said = (said + text.decode(chunk, { stream: true })).slice(0, STATUS_BYTES_MAX)
      const pid = Number(CHILD_PID.exec(said)?.[1])
      if (Number.isSafeInteger(pid) && pid > 1) found.resolve(pid)
    }
    found.resolve(undefined)
  }
  void read()
  return found.promise
}

/** Reads `source` to its end and keeps the last `bytesMax` bytes of it. */
export function keepTail(
  source: AsyncIterable<Uint8Array>,
  bytesMax: number
): { text(): string; done: Promise<void> } {
  let kept = new Uint8Array(0)
  const read = async (): Promise<void> => {
    for await (const chunk of source) {
      const joined = Buffer.concat([kept, chunk])
      kept = new Uint8Array(joined.subarray(Math.max(0, joined.byteLength - bytesMax)))
    }
  }
  return { text: () => new TextDecoder().decode(kept), done: read() }
}
