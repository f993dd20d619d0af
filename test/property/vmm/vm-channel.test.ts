import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createVmChannel, encodeVmFrame, VM_FRAME, VmmError } from '#vmm'
import { encodeCredit } from '../../../vmm/channel/frames.ts'
import { cutAt } from '../../support/cut.ts'

const TYPES = Object.values(VM_FRAME)
/** Frames as a guest might send them, and bytes as only a hostile one would. */
const frame = fc.oneof(
  fc
    .tuple(fc.constantFrom(...TYPES), fc.nat(6), fc.uint8Array({ maxLength: 40 }))
    .map(([type, stream, payload]) => encodeVmFrame(type, stream, payload)),
  fc.tuple(fc.nat(5), fc.nat(0xffff_ffff)).map(([stream, bytes]) => encodeCredit(stream, bytes)),
  fc.uint8Array({ minLength: 1, maxLength: 30 })
)

describe('a machine’s channel, whatever a guest sends', () => {
  it('is taken or refused with a code, wherever it is cut, and gives the reader what was data', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 30 }), fc.array(fc.nat(2000)), async (frames, cuts) => {
        const channel = createVmChannel({ send: () => undefined, take: () => undefined })
        channel.open()
        try {
          for (const part of cutAt(Buffer.concat(frames), cuts)) channel.push(part)
        } catch (thrown) {
          assert.ok(thrown instanceof VmmError, String(thrown))
          assert.equal(thrown.code, 'ERR_VM_CHANNEL')
        }
        channel.close()
        for (const { incoming } of [channel.stdout, channel.stderr, channel.channel]) {
          for await (const chunk of incoming) assert.ok(chunk.byteLength > 0)
        }
      }),
      { numRuns: 300 }
    )
  })

  it('carries every byte of every stream in order, however it is cut', async () => {
    const streams = ['stdout', 'stderr', 'channel'] as const
    const sent = fc.array(
      fc.tuple(fc.constantFrom(2, 3, 4), fc.uint8Array({ minLength: 1, maxLength: 300 })),
      {
        maxLength: 40
      }
    )
    await fc.assert(
      fc.asyncProperty(sent, fc.array(fc.nat(4000)), async (writes, cuts) => {
        const channel = createVmChannel({ send: () => undefined, take: () => undefined })
        const bytes = writes.map(([stream, payload]) => encodeVmFrame(VM_FRAME.data, stream, payload))
        for (const part of cutAt(Buffer.concat(bytes), cuts)) {
          const reused = Uint8Array.from(part)
          channel.push(reused)
          reused.fill(0)
        }
        channel.close()
        for (const [index, name] of streams.entries()) {
          const expected = Buffer.concat(
            writes.filter(([stream]) => stream === index + 2).map(([, payload]) => payload)
          )
          assert.ok(Buffer.concat(await Array.fromAsync(channel[name].incoming)).equals(expected))
        }
      }),
      { numRuns: 100 }
    )
  })
})
