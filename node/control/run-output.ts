import { CONTROL_LIMITS } from '#contracts'
import type { CallContext } from './server.ts'

/** Sends bytes of a capsule to the command, in pieces that fit a message. */
export async function writeOutput(
  { emit }: Pick<CallContext, 'emit'>,
  stream: 'stdout' | 'stderr',
  bytes: Uint8Array
): Promise<void> {
  for (let start = 0; start < bytes.byteLength; start += CONTROL_LIMITS.chunkBytesMax) {
    const part = bytes.subarray(start, start + CONTROL_LIMITS.chunkBytesMax)
    await emit({ kind: 'output', stream, base64: Buffer.from(part).toString('base64') })
  }
}
