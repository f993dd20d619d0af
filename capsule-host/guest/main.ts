/**
 * What runs inside the sandbox: takes one admitted module and its input as frames, runs it over a WASI layer of
 * its own, and gives back its output as frames. It imports nothing outside this folder. The host ends the process
 * after the last frame; one process serves one capsule.
 */
import { FileCalls } from './file-calls.ts'
import {
  encodeFrame,
  encodeNumberFrame,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  FrameWriter,
  type FailureMessage,
  type Frame,
  type FrameType,
  type StartMessage
} from './frames.ts'
import { closeInherited, guestPowers, type GuestPowers } from './powers.ts'
import { runProgram, type ProgramEnd, type ProgramTrace } from './program.ts'
import { rehearsalPowers } from './rehearsal.ts'
import { GuestInput } from './streams.ts'
import {
  CHANNEL_DESCRIPTOR,
  CHANNEL_WINDOW_BYTES,
  FILES_PREOPEN,
  STDIN_WINDOW_BYTES
} from './wasi/constants.ts'
import { DescriptorTable } from './wasi/descriptors.ts'
import type { WasiHost } from './wasi/host.ts'
import { GuestMemory } from './wasi/memory.ts'

const OUTPUT_FRAMES: Readonly<Record<number, FrameType>> = {
  1: FRAME.stdout,
  2: FRAME.stderr,
  [CHANNEL_DESCRIPTOR]: FRAME.channelOut
}

class Guest {
  readonly #powers: GuestPowers
  readonly #memory = new GuestMemory()
  readonly #frames = new FrameWriter()
  readonly #stdin: GuestInput
  readonly #channel = new GuestInput({ windowBytes: CHANNEL_WINDOW_BYTES })
  readonly #files: FileCalls
  #hasFiles = false
  #module: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #filledBytes = 0
  #args: readonly Uint8Array[] = []
  #traced: StartMessage['trace']
  #trace: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #filledTraceBytes = 0
  #hasEnded = false

  constructor(powers: GuestPowers) {
    this.#powers = powers
    this.#files = new FileCalls((request) => this.#write(FRAME.fileCall, request))
    this.#stdin = new GuestInput({
      windowBytes: STDIN_WINDOW_BYTES,
      want: (bytes) => powers.write(encodeNumberFrame(FRAME.stdinWant, bytes))
    })
  }

  async serve(): Promise<void> {
    const decoder = new FrameDecoder()
    const over = this.#powers.listen((piece) => {
      for (const frame of decoder.push(piece)) this.#take(frame)
    })
    // Not before it listens: who hears this measures from here.
    this.#powers.write(encodeFrame(FRAME.ready, new Uint8Array(0)))
    await over
  }

  #take({ type, payload }: Frame): void {
    if (type === FRAME.start) this.#start(JSON.parse(new TextDecoder().decode(payload)) as StartMessage)
    else if (type === FRAME.module) this.#takeModule(payload)
    else if (type === FRAME.run) void this.#run()
    else if (type === FRAME.stdin) this.#stdin.push(payload)
    else if (type === FRAME.stdinEnd) this.#stdin.end()
    else if (type === FRAME.channelIn) this.#takeChannel(payload)
    else if (type === FRAME.fileAnswer) this.#files.answer(payload)
    else if (type === FRAME.traceIn) this.#takeTrace(payload)
  }

  #start({ args, moduleBytes, hasFiles, trace }: StartMessage): void {
    const text = new TextEncoder()
    this.#hasFiles = hasFiles
    this.#args = args.map((argument) => text.encode(`${argument}\0`))
    this.#module = new Uint8Array(moduleBytes)
    this.#traced = trace
    if (trace?.kind === 'replay') this.#trace = new Uint8Array(trace.bytes)
  }

  #takeTrace(payload: Uint8Array): void {
    this.#trace.set(payload, this.#filledTraceBytes)
    this.#filledTraceBytes += payload.byteLength
  }

  #takeModule(payload: Uint8Array): void {
    this.#module.set(payload, this.#filledBytes)
    this.#filledBytes += payload.byteLength
  }

  async #run(): Promise<void> {
    this.#finish(await runProgram(this.#module, this.#host(), this.#programTrace()))
  }

  #programTrace(): ProgramTrace | undefined {
    const traced = this.#traced
    if (traced === undefined) return undefined
    if (traced.kind === 'replay') return { kind: 'replay', entries: this.#trace }
    const write = (bytes: Uint8Array): void => this.#write(FRAME.traceOut, bytes)
    return { kind: 'record', init: { write, keepsInput: traced.keepsInput } }
  }

  #host(): WasiHost {
    const { nowMs, monotonicMs, after, fillRandom } = this.#powers
    return {
      memory: this.#memory,
      descriptors: new DescriptorTable({ preopen: this.#hasFiles ? FILES_PREOPEN : undefined }),
      args: this.#args,
      stdin: this.#stdin,
      channel: this.#channel,
      askFiles: this.#hasFiles ? (request) => this.#files.ask(request) : undefined,
      write: (descriptor, bytes) => this.#write(OUTPUT_FRAMES[descriptor] ?? FRAME.stderr, bytes),
      exit: (exitCode) => this.#finish({ kind: 'exit', exitCode }),
      nowMs,
      monotonicMs,
      after,
      fillRandom
    }
  }

  #write(type: FrameType, bytes: Uint8Array): void {
    // A program can catch the exception that ends it; what it does afterwards is not its output any more.
    if (this.#hasEnded) return
    for (let offset = 0; offset < bytes.byteLength; offset += FRAME_PAYLOAD_BYTES_MAX) {
      this.#powers.write(this.#frames.encode(type, bytes.subarray(offset, offset + FRAME_PAYLOAD_BYTES_MAX)))
    }
  }

  #takeChannel(payload: Uint8Array): void {
    try {
      this.#channel.push(payload)
    } catch (thrown) {
      this.#fail({ kind: 'channel', message: String(thrown), memoryBytesAtStart: 0, memoryBytes: 0 })
    }
  }

  #finish(end: ProgramEnd): void {
    if (end.kind !== 'exit') {
      this.#fail({ ...end, memoryBytes: this.#memory.byteLength })
    } else if (!this.#hasEnded) {
      this.#hasEnded = true
      this.#powers.write(encodeNumberFrame(FRAME.exit, end.exitCode))
    }
  }

  #fail(failure: FailureMessage): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    // The engine's sentence may hold text of the module; escaped as JSON and cut to one frame.
    const message = failure.message.slice(0, 1024)
    this.#powers.write(
      encodeFrame(FRAME.failed, new TextEncoder().encode(JSON.stringify({ ...failure, message })))
    )
  }
}

closeInherited(Number(process.argv[2] ?? 0))
const powers = guestPowers()
await new Guest(rehearsalPowers(powers)).serve()
await new Guest(powers).serve()
