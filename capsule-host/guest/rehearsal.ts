import { encodeFrame, FRAME, type FrameType, type StartMessage } from './frames.ts'
import type { GuestPowers } from './powers.ts'

/**
 * A program that uses a clock, randomness and both streams and then exits:
 *
 * ```wat
 * (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\01\00\00\00")
 * (func (export "_start")
 *   (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 32)))
 *   (drop (call $random_get (i32.const 32) (i32.const 8)))
 *   (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
 *   (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
 *   (call $proc_exit (i32.const 0)))
 * ```
 */
const PROGRAM =
  'AGFzbQEAAAABHQVgBH9/f38Bf2ADf35/AX9gAn9/AX9gAX8AYAAAArMBBRZ3YXNpX3NuYXBzaG90X3ByZXZpZXcxCGZkX3dyaXRlAAAWd2FzaV9zbmFw' +
  'c2hvdF9wcmV2aWV3MQdmZF9yZWFkAAAWd2FzaV9zbmFwc2hvdF9wcmV2aWV3MQ5jbG9ja190aW1lX2dldAABFndhc2lfc25hcHNob3RfcHJldmlldzEKcmFu' +
  'ZG9tX2dldAACFndhc2lfc25hcHNob3RfcHJldmlldzEJcHJvY19leGl0AAMDAgEEBQMBAAEHEwIGbWVtb3J5AgAGX3N0YXJ0AAUMAQEKLgEsAEEBQgBBIBAC' +
  'GkEgQQgQAxpBAUEAQQFBCBAAGkEAQQBBAUEIEAEaQQAQBAsLDgEAQQALCBAAAAABAAAA'

/**
 * Powers under which a guest runs {@link PROGRAM} and nobody hears of it. The engine compiles a function when it is first
 * called; a process that waits for its capsule has done so before.
 */
export function rehearsalPowers(powers: GuestPowers): GuestPowers {
  const ended = Promise.withResolvers<void>()
  return {
    ...powers,
    listen: async (take) => {
      for (const frame of rehearsal()) take(frame)
      await ended.promise
    },
    write: (frame) => {
      if (frame[0] === FRAME.exit || frame[0] === FRAME.failed) ended.resolve()
    }
  }
}

function rehearsal(): Uint8Array[] {
  const module = Uint8Array.fromBase64(PROGRAM)
  const start: StartMessage = {
    ...{ args: ['rehearsal'], moduleBytes: module.byteLength, hasFiles: false },
    // Recorded as well: a run that is recorded must not be the first to need all that.
    trace: { kind: 'record', keepsInput: true }
  }
  const frame = (type: FrameType, text: string): Uint8Array =>
    encodeFrame(type, new TextEncoder().encode(text))
  return [
    frame(FRAME.start, JSON.stringify(start)),
    encodeFrame(FRAME.module, module),
    frame(FRAME.run, ''),
    frame(FRAME.stdin, 'x')
  ]
}
