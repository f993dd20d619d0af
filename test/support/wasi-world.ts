import { setTimeout as sleep } from 'node:timers/promises'
import { createMemoryFiles, serveFiles, type CapsuleFiles } from '#capsule-host'
import { FileCalls } from '../../capsule-host/guest/file-calls.ts'
import { runProgram, type ProgramEnd } from '../../capsule-host/guest/program.ts'
import { GuestInput } from '../../capsule-host/guest/streams.ts'
import { DescriptorTable } from '../../capsule-host/guest/wasi/descriptors.ts'
import type { WasiHost } from '../../capsule-host/guest/wasi/host.ts'
import { GuestMemory } from '../../capsule-host/guest/wasi/memory.ts'

/** What a program finds around it. */
export interface WasiWorldInit {
  /** Its files; none when absent. */
  readonly files?: CapsuleFiles | undefined
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Whether descriptor 3 is the runtime channel; true when absent. */
  readonly hasChannel?: boolean
  /** The name its files are preopened under; `/data` when absent. */
  readonly preopen?: string
  readonly openFilesMax?: number
  /** Whether time jumps to where somebody waits for, so that nobody does. */
  readonly isTimeJumping?: boolean
}

/** The WASI layer of a capsule's process over a host's real answers to its file calls, in this very process. */
export interface WasiWorld {
  readonly host: WasiHost
  /** What it wrote to descriptor 1, 2 or 3. */
  output(descriptor: number): string
  /** How many questions about files the host was asked. */
  readonly questions: () => number
  readonly exitCode: () => number | undefined
  /** Resolves when the host has heard all that was said, and closed what was open. */
  settled(): Promise<void>
  /** Runs a module to its end, and {@link settled}. */
  run(module: Uint8Array): Promise<ProgramEnd>
}

/** Makes a world for one program. Every frame is encoded, decoded and checked as between processes. */
export function createWasiWorld(init: WasiWorldInit = {}): WasiWorld {
  const text = new TextEncoder()
  const written: { descriptor: number; bytes: Uint8Array }[] = []
  let questions = 0
  let heard: Promise<unknown> = Promise.resolve()
  let exitCode: number | undefined
  const { files } = init
  const service =
    files === undefined
      ? undefined
      : serveFiles(files, { openFilesMax: init.openFilesMax ?? 64 })({
          send: (answer) => calls.answer(answer),
          fail: (error) => {
            throw error
          }
        })
  const calls = new FileCalls((request) => {
    questions++
    const copy = request.slice()
    heard = Promise.resolve().then(() => service?.push(copy))
  })
  const stdin = new GuestInput({ windowBytes: 1 << 20 })
  stdin.push(text.encode(init.stdin ?? ''))
  stdin.end()
  const host: WasiHost = {
    memory: new GuestMemory(),
    descriptors: new DescriptorTable({
      hasChannel: init.hasChannel ?? true,
      preopen: files === undefined ? undefined : (init.preopen ?? '/data')
    }),
    args: ['program', ...(init.args ?? [])].map((argument) => text.encode(`${argument}\0`)),
    environment: Object.entries(init.environment ?? {}).map(([name, value]) =>
      text.encode(`${name}=${value}\0`)
    ),
    stdin,
    channel: new GuestInput({ windowBytes: 1 << 20 }),
    askFiles: files === undefined ? undefined : (request) => calls.ask(request),
    write: (descriptor, bytes) => written.push({ descriptor, bytes: bytes.slice() }),
    exit: (code) => (exitCode = code),
    ...worldClock(init.isTimeJumping ?? false),
    fillRandom: (bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)
  }
  const settled = async (): Promise<void> => {
    await heard
    await service?.close()
  }
  return {
    host,
    settled,
    output: (descriptor) =>
      Buffer.concat(
        written.filter((piece) => piece.descriptor === descriptor).map(({ bytes }) => bytes)
      ).toString(),
    questions: () => questions,
    exitCode: () => exitCode,
    run: async (module) => {
      const end = await runProgram(Uint8Array.from(module), host)
      await settled()
      return end
    }
  }
}

function worldClock(isJumping: boolean): Pick<WasiHost, 'nowMs' | 'monotonicMs' | 'after'> {
  let skippedMs = 0
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now() + skippedMs,
    after: (durationMs, task) => {
      const stop = new AbortController()
      if (isJumping) skippedMs += durationMs
      void sleep(isJumping ? 0 : durationMs, undefined, { signal: stop.signal }).then(task, () => undefined)
      return () => stop.abort()
    }
  }
}

/** Files in memory, with what is given in them: a path that ends in a slash is a folder. */
export async function memoryFiles(
  content: Readonly<Record<string, string | Uint8Array>> = {},
  o: { hasLinks?: boolean; bytesMax?: number } = {}
): Promise<CapsuleFiles> {
  const files = createMemoryFiles({ clock: { nowMs: () => Date.now() }, ...o })
  for (const [path, bytes] of Object.entries(content)) {
    if (path.endsWith('/')) await files.makeFolder(path.slice(0, -1))
    else await writeWhole(files, path, bytes)
  }
  return files
}

/** Writes a file anew. */
export async function writeWhole(
  files: CapsuleFiles,
  path: string,
  content: string | Uint8Array
): Promise<void> {
  const handle = await files.open(path, { isCreating: true, isTruncating: true, isWriting: true })
  await handle.write(0, Buffer.from(content as string))
  await handle.close()
}

/** All of a file, as text. */
export async function readWhole(files: CapsuleFiles, path: string): Promise<string> {
  const handle = await files.open(path, {})
  const { bytes } = await handle.stat()
  const content = await handle.read(0, bytes)
  await handle.close()
  return Buffer.from(content).toString()
}
