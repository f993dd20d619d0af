import {
  encodeFrame,
  encodeFrameHead,
  FRAME,
  FRAME_HEAD_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type FrameType,
  type StartMessage
} from '../guest/frames.ts'
import type { SpawnedProcess } from '../powers.ts'
import type { RunTrace } from './init.ts'

const NO_BYTES = new Uint8Array(0)

/** The host's side of the frames to a guest process. */
export interface GuestLink {
  /** Hands over the program and runs it. */
  start(program: {
    args: readonly string[]
    module: Uint8Array
    hasFiles: boolean
    trace?: RunTrace | undefined
  }): void
  /** Any number of bytes of one stream. */
  send(type: FrameType, bytes: Uint8Array): void
  /** One frame; `payload` must fit it. Gives back the copy of it that is sent, which nobody changes any more. */
  sendFrame(type: FrameType, payload: Uint8Array): Uint8Array
  /** A frame without payload. */
  signal(type: FrameType): void
}

/** Frames on the standard input of `process`. */
export function createGuestLink(process: Pick<SpawnedProcess, 'write'>): GuestLink {
  /** The module is large, and nobody changes it: only the heads of its frames are new. */
  const sendModule = (module: Uint8Array): void => {
    for (let offset = 0; offset < module.byteLength; offset += FRAME_PAYLOAD_BYTES_MAX) {
      const piece = module.subarray(offset, offset + FRAME_PAYLOAD_BYTES_MAX)
      process.write(encodeFrameHead(FRAME.module, piece.byteLength))
      process.write(piece)
    }
  }
  const send = (type: FrameType, bytes: Uint8Array): void => {
    for (let offset = 0; offset < bytes.byteLength; offset += FRAME_PAYLOAD_BYTES_MAX) {
      process.write(encodeFrame(type, bytes.subarray(offset, offset + FRAME_PAYLOAD_BYTES_MAX)))
    }
  }
  return {
    send,
    sendFrame: (type, payload) => {
      const frame = encodeFrame(type, payload)
      process.write(frame)
      return frame.subarray(FRAME_HEAD_BYTES)
    },
    signal: (type) => process.write(encodeFrame(type, NO_BYTES)),
    start: ({ args, module, hasFiles, trace }) => {
      const message: StartMessage = {
        ...{ args, moduleBytes: module.byteLength, hasFiles },
        ...(trace === undefined ? {} : { trace: traceMessage(trace) })
      }
      process.write(encodeFrame(FRAME.start, new TextEncoder().encode(JSON.stringify(message))))
      sendModule(module)
      if (trace?.kind === 'replay') send(FRAME.traceIn, trace.entries)
      process.write(encodeFrame(FRAME.run, NO_BYTES))
    }
  }
}

function traceMessage(trace: RunTrace): StartMessage['trace'] & {} {
  if (trace.kind === 'record') return { kind: 'record', keepsInput: trace.keepsInput }
  return { kind: 'replay', bytes: trace.entries.byteLength }
}
