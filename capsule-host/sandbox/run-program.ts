import type { Clock } from '#contracts'
import { PROGRAM_OUTPUT_BYTES_MAX } from '../constants.ts'
import type { HostPowers, SpawnEnd, SpawnInit } from '../powers.ts'

/** What a short program said and how it ended. */
export interface ProgramResult {
  readonly end: SpawnEnd
  readonly stdout: string
  readonly stderr: string
  /** Whether it was killed because it took too long. */
  readonly isLate: boolean
}

/** Runs a short program without input to its end, or kills it after `deadlineMs` or when `signal` aborts. Output beyond
 * 64 KiB is dropped. */
export async function runProgram(
  components: { powers: Pick<HostPowers, 'spawn'>; clock: Clock },
  init: SpawnInit & { deadlineMs: number; signal?: AbortSignal }
): Promise<ProgramResult> {
  init.signal?.throwIfAborted()
  const process = components.powers.spawn(init)
  const kill = (): void => process.kill()
  let isLate = false
  using _deadline = components.clock.after(init.deadlineMs, () => {
    isLate = true
    kill()
  })
  init.signal?.addEventListener('abort', kill, { once: true })
  process.closeInput()
  const [stdout, stderr, end] = await Promise.all([
    readText(process.stdout),
    readText(process.stderr),
    process.ended
  ])
  process.closeOutput()
  init.signal?.removeEventListener('abort', kill)
  return { end, stdout, stderr, isLate }
}

async function readText(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  let left = PROGRAM_OUTPUT_BYTES_MAX
  for await (const chunk of source) {
    const part = chunk.subarray(0, left)
    left -= part.byteLength
    if (part.byteLength > 0) parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
