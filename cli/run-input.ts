import { CONTROL_LIMITS } from '#contracts'
import type { ControlCall } from './context.ts'

/** Sends a run its standard input: each piece when the capsule has taken the one before, so a slow capsule slows its input down. */
export async function sendInput(
  call: ControlCall<'capsule.attach' | 'capsule.run' | 'capsule.replay'>,
  input: AsyncIterable<Uint8Array>
): Promise<void> {
  for await (const chunk of input) {
    for (let start = 0; start < chunk.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
      const part = chunk.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
      await call.send({ kind: 'stdin', base64: Buffer.from(part).toString('base64') })
    }
  }
  await call.send({ kind: 'stdin-end' })
}
