import type {
  Clock,
  ControlEvent,
  ControlInput,
  ControlMethod,
  ControlParams,
  ControlResult
} from '#contracts'

/** Takes an event of a call; while it returns a promise, nothing more is read from the node. */
export type EventHandler = (event: ControlEvent) => Promise<void> | undefined

/** One call under way: inputs go in, events come out, the result comes last. */
export interface ControlCall<M extends ControlMethod> {
  readonly result: Promise<ControlResult<M>>
  /** Sends input into the call; resolves when the node has taken it. */
  send(input: ControlInput): Promise<void>
}

/** A connection to a running node. */
export interface ControlClient extends AsyncDisposable {
  /**
   * Calls a method and waits for its result.
   *
   * @throws RemoteError with the node's code; CliError when the connection breaks
   */
  call<M extends ControlMethod>(
    method: M,
    params: ControlParams<M>,
    options?: { onEvent?: EventHandler; signal?: AbortSignal }
  ): Promise<ControlResult<M>>
  /** Opens a call that takes input while it runs. */
  open<M extends ControlMethod>(
    method: M,
    params: ControlParams<M>,
    options: { onEvent: EventHandler; signal?: AbortSignal }
  ): ControlCall<M>
}

/** Where a command writes. */
export interface OutputStream {
  /** Writes text; resolves when the stream can take more. */
  write(text: string | Uint8Array): Promise<void>
  readonly isTerminal: boolean
  readonly columns: number
  readonly rows: number
}

/** What a command may use; made by `main.ts` from the real process, by tests from anything. */
export interface CliContext {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdinIsTerminal: boolean
  /** One JSON object a line instead of text for people. */
  readonly json: boolean
  readonly dataFolder: string
  readonly workingFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** What to add to UTC for local time, in minutes. */
  readonly utcOffsetMinutes: number
  /** Aborts on Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Options a started node would get, from the command line. */
  readonly nodeFlags: readonly string[]
  /** Connects to the node of the data folder, starting one unless `--no-start` was given. */
  connect(): Promise<ControlClient>
  /** Connects to the node of the data folder when one runs there. */
  connectIfRunning(): Promise<ControlClient | undefined>
  /** Asks a question on the terminal; `undefined` at end of input. @throws CliError ERR_TERMINAL_NEEDED without one */
  ask(question: string, options?: { secret?: boolean }): Promise<string | undefined>
  /** Keys as they are typed, for a full-screen program; disposing restores the terminal. */
  openTerminal(): { keys: AsyncIterable<Uint8Array>; onResize(task: () => void): void } & Disposable
  /** Keys of standard input one by one and not shown, or lines again. Nothing happens without a terminal. */
  setRawMode(isRaw: boolean): void
  /** Calls `task` when the terminal has another size, until disposed. */
  onResize(task: () => void): Disposable
  /** The lines of the node's log: the last ones, then new ones while following, until the signal aborts. */
  readLog(options: { lastLines: number; isFollowing: boolean }): AsyncIterable<string>
  /** Makes every file this process creates from now on readable by its owner alone. */
  restrictNewFiles(): void
  /** Whether a process of that id runs. */
  isProcessRunning(pid: number): boolean
  /** Starts the node of the data folder as a process of its own and waits until it answers. */
  startDetached(flags: readonly string[]): Promise<{ pid: number }>
}

/** What the parser found: arguments by name and options by name. */
export interface CommandInput {
  readonly args: Readonly<Record<string, string | string[] | undefined>>
  readonly options: Readonly<Record<string, string | boolean | string[] | undefined>>
}

/** Runs a command; a number is the exit code, otherwise 0. */
export type CommandAction = (input: CommandInput, context: CliContext) => Promise<number | undefined>
