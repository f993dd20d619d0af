import type { DescriptorTable } from './descriptors.ts'
import { ERRNO, WasiError } from './errno.ts'
import { closeDescriptor, fileCalls, immediateFileCalls, type FileWorld } from './file-calls.ts'
import { FileClient } from './file-client.ts'
import { FileIo } from './file-io.ts'
import type { SuspendingWasiCall, WasiCall, WasiHost } from './host.ts'
import { pathCalls } from './path-calls.ts'
import { pollCall } from './poll.ts'
import { processCalls } from './process-calls.ts'
import { preopenCalls, refusedCalls } from './refused-calls.ts'
import type { WasiName } from './signatures.ts'
import { descriptorCalls, readCall, statStream, streamCalls, writeStream } from './stream-calls.ts'

/** Functions of WASI preview 1, by whether they may suspend the program. Every name is in one of the two. */
export interface WasiCalls {
  readonly immediate: Readonly<Partial<Record<WasiName, WasiCall>>>
  readonly suspending: Readonly<Partial<Record<WasiName, SuspendingWasiCall>>>
  /** Whether they answer with an error number by themselves and throw no {@link WasiError}. */
  readonly areAnswered?: boolean
  /** Comes when the program has ended, however it did: what it was told is written is handed over. */
  finish(): void
  /** Comes when the program ends by itself. @throws when it must not end so */
  checkEnd?(): void
}

/**
 * All of WASI preview 1 for a program with its streams and, when the host answers for them, its files. Only calls that
 * can wait suspend: a suspending import always suspends, even when it has its answer.
 */
export function createWasiCalls(host: WasiHost): WasiCalls {
  const atAnyTime = { ...descriptorCalls(host), ...preopenCalls(host) }
  const refused = refusedCalls(host.descriptors)
  if (host.askFiles === undefined) {
    return {
      immediate: { ...refused, ...processCalls(host), ...streamCalls(host), ...atAnyTime },
      suspending: { fd_read: readCall(host), poll_oneoff: pollCall(host) },
      finish: () => undefined
    }
  }
  const client = new FileClient(host.askFiles)
  const world: FileWorld = { host, client, io: new FileIo(client, host.fileReads) }
  const finish = (): void => void world.io.flush()
  const exit = (exitCode: number): void => {
    finish()
    host.exit(exitCode)
  }
  const { sock_accept, sock_recv, sock_send, sock_shutdown } = refused
  return {
    immediate: {
      ...processCalls({ ...host, exit }),
      ...atAnyTime,
      ...{ sock_accept, sock_recv, sock_send, sock_shutdown },
      ...instead(host.descriptors, immediateFileCalls(world), refused)
    },
    suspending: { ...onStreams(world, refused), poll_oneoff: settled(world, pollCall(host)) },
    finish
  }
}

/** Calls on files, with what each answers on a stream. */
function onStreams(
  world: FileWorld,
  refused: Readonly<Partial<Record<WasiName, WasiCall>>>
): Partial<Record<WasiName, SuspendingWasiCall>> {
  const { host } = world
  const { descriptors } = host
  const read = settled(world, readCall(host))
  const onStream: Readonly<Partial<Record<WasiName, SuspendingWasiCall>>> = {
    fd_read: read,
    fd_write: async (number: number, vectors: number, count: number, result: number) => {
      // Whoever hears it may look at the files; the program itself learns nothing.
      await world.io.flush()
      return writeStream(host, descriptors.get(number), { vectors, count, result })
    },
    fd_filestat_get: (number: number, result: number) =>
      Promise.resolve(statStream(host, descriptors.get(number), result)),
    fd_close: (number: number) => {
      descriptors.remove(number)
      return Promise.resolve(ERRNO.success)
    }
  }
  const calls: Partial<Record<WasiName, SuspendingWasiCall>> = {
    ...fileCalls(world),
    ...pathCalls(world)
  }
  const all = Object.entries(calls).map(([key, call]): [WasiName, SuspendingWasiCall] => {
    const name = key as WasiName
    const stream = onStream[name] ?? promised(refused[name])
    // The descriptor of a path call is checked where the path is.
    if (stream === undefined || name.startsWith('path_')) return [name, call]
    return [name, async (...values) => await (isStream(descriptors, values) ? stream : call)(...values)]
  })
  return {
    ...(Object.fromEntries(all) as Partial<Record<WasiName, SuspendingWasiCall>>),
    fd_renumber: async (from: number, to: number) => {
      const replaced = descriptors.renumber(from, to)
      if (replaced !== undefined) await closeDescriptor(world, replaced)
      return ERRNO.success
    }
  }
}

/** Immediate calls on files, with what each answers on a stream. */
function instead<K extends WasiName>(
  descriptors: DescriptorTable,
  calls: Record<K, WasiCall>,
  refused: Readonly<Partial<Record<WasiName, WasiCall>>>
): Partial<Record<WasiName, WasiCall>> {
  const all = Object.entries<WasiCall>(calls).map(([name, call]): [string, WasiCall] => {
    const stream = refused[name as WasiName] ?? call
    return [name, (...values) => (isStream(descriptors, values) ? stream : call)(...values)]
  })
  return Object.fromEntries(all)
}

/** Every call of this layer on a descriptor has it first. */
function isStream(descriptors: DescriptorTable, values: readonly number[]): boolean {
  return descriptors.get(values[0] ?? -1).kind === 'stream'
}

function promised(call: WasiCall | undefined): SuspendingWasiCall | undefined {
  if (call === undefined) return undefined
  return (...values) => Promise.resolve(call(...values))
}

function settled(
  { io }: FileWorld,
  call: (...values: [number, number, number, number]) => Promise<number>
): (...values: [number, number, number, number]) => Promise<number> {
  return async (...values) => {
    await io.settle()
    return await call(...values)
  }
}

/** Runs `call` and answers with the error number of a {@link WasiError} it throws. */
export function answer(call: WasiCall): WasiCall {
  return (...values) => {
    try {
      return call(...values)
    } catch (thrown) {
      return errnoOf(thrown)
    }
  }
}

/** {@link answer} for a call that may suspend. */
export function answerLater(call: SuspendingWasiCall): SuspendingWasiCall {
  return async (...values) => {
    try {
      return await call(...values)
    } catch (thrown) {
      return errnoOf(thrown)
    }
  }
}

/**
 * What a call that threw answers.
 *
 * @throws what was thrown when it is no {@link WasiError}
 */
export function errnoOf(thrown: unknown): number {
  if (thrown instanceof WasiError) return thrown.errno
  throw thrown
}
