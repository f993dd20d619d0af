import type { CapsuleMethods, HeldCapability, TerminalSize, TerminalStatus } from '#capsule-channel'
import type {
  CallName,
  CommandInput,
  CommandItem,
  CommandParams,
  CommandResult,
  Commands,
  StreamName
} from './commands.ts'
import { Connection } from './connection.ts'
import { createLineReader } from './lines.ts'
import { powerParams, Server, type Handlers } from './serve.ts'
import { StreamTable, type CapsuleStream } from './streams.ts'
import { capsuleSystem, type CapsuleSystem } from './system.ts'

/** Bytes of one line of standard input. */
const INPUT_LINE_BYTES_MAX: number = 1024 * 1024
const DESCRIPTOR = { stdin: 0, stdout: 1, stderr: 2 } as const

/** What a capsule asks for; see {@link Capsule.request}. */
export type CapabilityRequest = CapsuleMethods['capability.request']['params']

/** Options of a call. */
export interface CallOptions {
  /** Gives the call up. */
  readonly signal?: AbortSignal
  /** Whose data, when a capability was delegated to this capsule. */
  readonly subject?: string
}

/** The terminal of a capsule that has one. */
export interface CapsuleTerminal {
  /** @throws CapsuleCallError `ERR_TERMINAL_NONE` */
  status(): Promise<TerminalStatus>
  /** Keys one by one and not shown, or lines. @throws CapsuleCallError `ERR_TERMINAL_NONE` */
  setRaw(isRaw: boolean): Promise<TerminalStatus>
  onResize(listener: (size: TerminalSize) => void): () => void
}

/** The capsule this runs in, and what it can reach: its standard streams, and what it was allowed on its channel. */
export interface Capsule {
  /** Arguments after the capsule's name. */
  readonly args: readonly string[]
  /** Who the host says this is. */
  identity(): Promise<CapsuleMethods['initialize']['result']['capsule']>

  /** Bytes of standard input as they come. One reader. */
  input(): AsyncIterable<Uint8Array>
  /** Lines of standard input, without their newlines; what follows the last newline is the last line. */
  lines(): AsyncIterable<string>
  /** Writes to standard output, no newline added. */
  write(output: string | Uint8Array): void
  /** Writes to standard error, no newline added. */
  writeError(output: string | Uint8Array): void
  readonly terminal: CapsuleTerminal
  /** Ends the capsule at once. */
  exit(code?: number): never

  /**
   * Asks for a capability that the manifest lists; answered when somebody decided.
   *
   * @throws CapsuleCallError `ERR_CAPABILITY_DENIED`, `ERR_CAPABILITY_CEILING`, `ERR_CAPABILITY_UNANSWERED`
   */
  request(capability: CapabilityRequest, options?: { signal?: AbortSignal }): Promise<HeldCapability>
  /** What this capsule holds. */
  capabilities(): Promise<readonly HeldCapability[]>
  /** Gives a capability back, for good. */
  drop(token: string): Promise<void>
  /** Lets another capsule on this device do a part of what this one may. */
  delegate(delegation: CapsuleMethods['capability.delegate']['params']): Promise<string>
  /** Calls `listener` when a capability this capsule held is gone. */
  onRevoked(listener: (revoked: { readonly token: string; readonly code: string }) => void): () => void

  /** Has a provider do something. @throws CapsuleCallError with the host's code or one of the contract's */
  call<Name extends CallName>(
    command: Name,
    params: CommandParams<Commands[Name]>,
    options?: CallOptions
  ): Promise<CommandResult<Commands[Name]>>
  /** {@link Capsule.call} by a contract this SDK does not know. */
  callAny(command: string, params?: unknown, options?: CallOptions): Promise<unknown>
  /** Opens a stream at a provider. @throws CapsuleCallError as {@link Capsule.call} */
  open<Name extends StreamName>(
    command: Name,
    params: CommandParams<Commands[Name]>,
    options?: CallOptions
  ): Promise<CapsuleStream<CommandItem<Commands[Name]>, CommandInput<Commands[Name]>>>

  /** Serves a contract that the manifest provides, and keeps the capsule running for it. */
  provide<Contract>(name: string, handlers: Handlers<Contract>): Promise<void>
  /** Uses a power of the host that the manifest names. @throws CapsuleCallError `ERR_POWER_NONE` */
  power(command: string, params?: unknown): Promise<unknown>

  /** A line for the capsule's log, which its user can read. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void
  /** Aborts when the host asks the capsule to end; soon after it is ended. */
  readonly stopping: AbortSignal
}

/** The capsule whose system `system` finds. */
export function createCapsule(system: () => CapsuleSystem = capsuleSystem): Capsule {
  const connection = new Connection(system)
  const streams = new StreamTable(connection)
  const server = new Server(connection, streams)
  return {
    ...standardStreams(system),
    ...capabilities(connection),
    ...providers(connection, streams),
    identity: async () => (await connection.welcome()).capsule,
    provide: async (name, handlers) => await server.add(name, handlers),
    power: async (command, params) => await connection.request('power.call', powerParams(command, params)),
    terminal: {
      status: async () => await connection.request('terminal.get', {}),
      setRaw: async (isRaw) => await connection.request('terminal.raw', { isRaw }),
      onResize: (listener) => connection.on('terminal.resize', listener)
    },
    log: (level, message) => {
      const tell = (): void => connection.tell('log', { level, message })
      // A line that cannot be logged is not worth ending for.
      void connection.welcome().then(tell, () => undefined)
    },
    get args() {
      return system().system.args.slice(1)
    },
    get stopping() {
      return stopSignal(connection)
    }
  }
}

const stopSignals = new WeakMap<Connection, AbortSignal>()

function stopSignal(connection: Connection): AbortSignal {
  const known = stopSignals.get(connection)
  if (known !== undefined) return known
  const controller = new AbortController()
  stopSignals.set(connection, controller.signal)
  connection.on('stop', () => controller.abort())
  void connection.welcome().catch(() => undefined)
  return controller.signal
}

function standardStreams(
  find: () => CapsuleSystem
): Pick<Capsule, 'input' | 'lines' | 'write' | 'writeError' | 'exit'> {
  const text = new TextEncoder()
  const write = (descriptor: number, output: string | Uint8Array): void =>
    find().system.write(descriptor, typeof output === 'string' ? text.encode(output) : output)
  const input = (): AsyncIterable<Uint8Array> => readAll(find())
  return {
    input,
    lines: () => linesOf(input()),
    write: (output) => write(DESCRIPTOR.stdout, output),
    writeError: (output) => write(DESCRIPTOR.stderr, output),
    exit: (code = 0) => find().system.exit(code)
  }
}

async function* readAll({ system, loop }: CapsuleSystem): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    await new Promise<void>((resolve) => loop.onReadable(DESCRIPTOR.stdin, resolve))
    const bytes = system.read(DESCRIPTOR.stdin)
    if (bytes?.byteLength === 0) return
    if (bytes !== undefined) yield bytes
  }
}

async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = createLineReader(INPUT_LINE_BYTES_MAX)
  for await (const bytes of input) yield* reader.push(bytes)
  const rest = reader.rest()
  if (rest !== '') yield rest
}

function capabilities(
  connection: Connection
): Pick<Capsule, 'request' | 'capabilities' | 'drop' | 'delegate' | 'onRevoked'> {
  return {
    request: async (capability, options) =>
      await connection.request('capability.request', capability, options),
    capabilities: async () => (await connection.request('capability.list', {})).capabilities,
    drop: async (token) => {
      await connection.request('capability.drop', { token })
    },
    delegate: async (delegation) => (await connection.request('capability.delegate', delegation)).token,
    onRevoked: (listener) => connection.on('capability.revoked', listener)
  }
}

function providers(connection: Connection, streams: StreamTable): Pick<Capsule, 'call' | 'callAny' | 'open'> {
  const asked = (command: string, params: unknown, { subject }: CallOptions) => ({
    command,
    ...(params === undefined ? {} : { params }),
    ...(subject === undefined ? {} : { subject })
  })
  const callAny = async (command: string, params?: unknown, options: CallOptions = {}): Promise<unknown> =>
    await connection.request('provider.call', asked(command, params, options), options)
  return {
    callAny,
    call: async (command, params, options) => (await callAny(command, params, options)) as never,
    open: async (command, params, options = {}) =>
      (await streams.open('provider.open', asked(command, params, options), options)) as CapsuleStream<never>
  }
}
