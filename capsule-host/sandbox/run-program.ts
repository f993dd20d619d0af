import type { Clock } from '#contracts'
import type { HostPowers, SpawnEnd, SpawnInit } from '../powers.ts'

const OUTPUT_BYTES_MAX = 64 * 1024

/** What a short program said and how it ended. */
export interface ProgramResult {
  readonly end: SpawnEnd
  readonly stdout: string
  readonly stderr: string
}

/** Runs a short program without input to its end, or kills it after `deadlineMs`. Output beyond 64 KiB is dropped. */
export async function runProgram(
  components: { powers: Pick<HostPowers, 'spawn'>; clock: Clock },
  init: SpawnInit & { deadlineMs: number }
): Promise<ProgramResult> {
  const process = components.powers.spawn(init)
  using deadline = components.clock.after(init.deadlineMs, () => process.kill())
  void deadline
  process.closeInput()
  const [stdout, stderr, end] = await Promise.all([
    readText(process.stdout),
    readText(process.stderr),
    process.ended
  ])
  process.closeOutput()
  return { end, stdout, stderr }
}

async function readText(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  let left = OUTPUT_BYTES_MAX
  for await (const chunk of source) {
    const part = chunk.subarray(0, left)
    left -= part.byteLength
    if (part.byteLength > 0) parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
