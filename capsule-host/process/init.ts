import type { Clock, Logger } from '#contracts'
import type { CapsuleLimits } from '../limits.ts'
import type { CapsulePool } from '../pool/capsule-pool.ts'
import type { HostPowers } from '../powers.ts'
import type { SandboxReport } from '../sandbox/report.ts'
import type { ChannelFactory } from './channel.ts'
import type { FileServiceFactory } from './files.ts'

/** Where a capsule's output goes. A `write` that waits holds the capsule back; one that throws ends it. */
export interface CapsuleSink {
  /** `bytes` are the sink's own. */
  write(bytes: Uint8Array): Promise<void> | void
}

/** Whether a run is recorded, and where to, or what it is replayed from. See docs/protocols/capsule-trace.md. */
export type RunTrace =
  | {
      readonly kind: 'record'
      /** Takes the next bytes of the trace's entries, which are its own. Called again before it has resolved, up to a bound. */
      write(entries: Uint8Array): Promise<void> | void
      /**
       * Takes an answer to a call on files that entries may speak of, which is its own, before the capsule has it. As
       * `write`.
       */
      writeAnswer(answer: Uint8Array): Promise<void> | void
      /** Whether standard input is kept; what a person types may be a secret. */
      readonly keepsInput: boolean
    }
  | { readonly kind: 'replay'; readonly entries: Uint8Array }

/** What {@link startCapsuleProcess} works with. */
export interface CapsuleProcessComponents {
  powers: Pick<HostPowers, 'spawn' | 'killProcess' | 'processorTimes' | 'yieldSession'>
  clock: Clock
  logger: Logger
  /** From `probeSandbox`; once per node is enough. */
  sandbox: SandboxReport
  /** Processes that are already up; without one each capsule waits for its own. */
  pool?: Pick<CapsulePool, 'take' | 'output'> | undefined
}

/** One run of a capsule. */
export interface CapsuleProcessInit {
  /** The capsule's name, its `argv[0]`. */
  name: string
  /** Its entry: a WebAssembly module whose bytes were verified. It is admitted here before anything compiles it. */
  module: Uint8Array
  /** Arguments after the name. */
  args?: readonly string[]
  limits: CapsuleLimits
  stdin: AsyncIterable<Uint8Array>
  stdout: CapsuleSink
  stderr: CapsuleSink
  /** The runtime's side of its channel; one that refuses every request when absent. */
  channel?: ChannelFactory
  /** Who answers its calls on files; it has no files when absent. */
  files?: FileServiceFactory
  /** Records this run, or replays one: a replay asks nothing of anybody but input that was left out. */
  trace?: RunTrace
  /** True only for what the user wrote and asked to run: it may do without a sandbox where there is none. */
  isOwn?: boolean
  /** Ends the capsule. */
  signal: AbortSignal
}
