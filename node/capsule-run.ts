import { createLineCutter, type CapsuleLogs, type LogLine, type Run, type RunInit } from '#capsule-host'
import { errorCode, errorMessage } from '#contracts'
import type { Capsules, CapsuleStreams, VerifiedPackage } from './capsules.ts'
import type { InstalledCapsules } from './installed-capsules.ts'
import type { RunTerminal } from './run-terminal.ts'

/** What a run is made with. */
export interface RunParts {
  readonly capsules: Pick<Capsules, 'run'>
  readonly installed: Pick<InstalledCapsules, 'running' | 'logs'>
}

/** Runs a capsule for who waits for it. @throws CapsuleError why it could not, or was ended */
export async function runAttached(
  { capsules, installed }: RunParts,
  capsule: VerifiedPackage,
  { onRun, ...streams }: CapsuleStreams & { readonly onRun?: (run: Run) => void }
): Promise<number> {
  using run = installed.running.enter(runInitOf(capsule, false), streams.signal)
  onRun?.(run)
  return await logRun(installed.logs, { capsule, run }, async () => {
    return await capsules.run(capsule, observed(streams, { run, capsule, logs: installed.logs }))
  })
}

/** How a run that goes on without who started it is started. */
export type DetachedInit = Pick<CapsuleStreams, 'args' | 'allowsEmulated' | 'substrate' | 'signal'> & {
  /** The terminal that it keeps for whoever comes to it; without one it has no input, and what it writes goes to its log. */
  readonly terminal?: RunTerminal
}

/** A run that goes on without who started it. */
export interface DetachedRun {
  readonly run: Run
  /** Settles at its end, as that of {@link runAttached}. */
  readonly ended: Promise<number>
}

/**
 * Runs a capsule that nobody watches. Resolves when it was started.
 *
 * @throws CapsuleError why it could not be started
 */
export async function runDetached(
  { capsules, installed }: RunParts,
  capsule: VerifiedPackage,
  { terminal, ...init }: DetachedInit
): Promise<DetachedRun> {
  const run = installed.running.enter(runInitOf(capsule, true), init.signal)
  const started = Promise.withResolvers<undefined>()
  const streams =
    terminal === undefined
      ? createLoggedStreams(installed.logs, { lineage: capsule.lineage, run: run.id })
      : terminalStreams(terminal)
  const work = async (): Promise<number> => {
    using _entry = run
    return await logRun(installed.logs, { capsule, run }, async () => {
      try {
        const seen = observed({ ...streams, ...init }, { run, capsule, logs: installed.logs })
        const onProcess = (pid: number | undefined): void => {
          run.setProcess(pid)
          started.resolve(undefined)
        }
        return await capsules.run(capsule, { ...seen, onProcess })
      } finally {
        await streams.end()
      }
    })
  }
  const ended = work()
  // Once it was started its log says how it ended, and whoever comes to its terminal hears it.
  ended.catch((thrown: unknown) => started.reject(thrown as Error))
  await started.promise
  return { run, ended }
}

/** What a run is given of a terminal. */
export function terminalStreams(
  terminal: RunTerminal
): Pick<CapsuleStreams, 'stdin' | 'stdout' | 'stderr' | 'terminal' | 'onSession'> & { end(): Promise<void> } {
  const { stdin, stdout, stderr, power, onSession } = terminal
  return { stdin, stdout, stderr, onSession, terminal: power, end: async () => await Promise.resolve() }
}

function runInitOf({ lineage, status }: VerifiedPackage, isDetached: boolean): RunInit {
  const { name, version, cid } = status
  return { lineage, name, version, cid, isDetached }
}

/** The same streams, with what goes through them counted, ended with the run; what the capsule logs is kept. */
function observed(
  streams: CapsuleStreams,
  { run, capsule, logs }: { run: Run; capsule: VerifiedPackage; logs: CapsuleLogs }
): CapsuleStreams {
  const { counters } = run
  const counted = (sink: CapsuleStreams['stdout']): CapsuleStreams['stdout'] => ({
    write: (bytes) => {
      counters.bytesOut += bytes.byteLength
      return sink.write(bytes)
    }
  })
  return {
    ...streams,
    stdin: countInput(streams.stdin, run),
    stdout: counted(streams.stdout),
    stderr: counted(streams.stderr),
    signal: run.signal,
    onProcess: run.setProcess,
    onLog: (level, text) =>
      void logs.append(capsule.lineage, [{ run: run.id, from: 'log', text: `${level}: ${text}` }]),
    onCalls: (count) => (counters.calls += count)
  }
}

async function* countInput(
  source: AsyncIterable<Uint8Array>,
  { counters }: Pick<Run, 'counters'>
): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    counters.bytesIn += bytes.byteLength
    yield bytes
  }
}

/** Streams of a run that nobody watches: no input, and its output goes to the log of its lineage. */
function createLoggedStreams(
  logs: CapsuleLogs,
  { lineage, run }: { lineage: string; run: number }
): Pick<CapsuleStreams, 'stdin' | 'stdout' | 'stderr'> & { end(): Promise<void> } {
  const cutter = (from: LogLine['from']): ReturnType<typeof createLineCutter> =>
    createLineCutter(async (lines) => {
      await logs.append(
        lineage,
        lines.map((text) => ({ run, from, text }))
      )
    })
  const [stdout, stderr] = [cutter('stdout'), cutter('stderr')]
  return {
    stdin: noInput(),
    ...{ stdout, stderr },
    end: async () => {
      await stdout.end()
      await stderr.end()
    }
  }
}

async function* noInput(): AsyncGenerator<Uint8Array> {
  // Nobody is there to type.
}

/** Writes how a run began and ended into the log of its lineage. */
async function logRun(
  logs: CapsuleLogs,
  { capsule, run }: { capsule: VerifiedPackage; run: Run },
  work: () => Promise<number>
): Promise<number> {
  const say = async (text: string): Promise<void> =>
    await logs.append(capsule.lineage, [{ run: run.id, from: 'host', text }])
  await say(`started ${capsule.status.version}`)
  try {
    const exitCode = await work()
    await say(`ended with code ${exitCode}`)
    return exitCode
  } catch (thrown) {
    await say(`ended: ${errorMessage(thrown)} (${errorCode(thrown) ?? 'ERR_UNKNOWN'})`)
    throw thrown
  }
}
