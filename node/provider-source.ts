import type {
  CapsuleError,
  Lifecycle,
  ProviderSource,
  ResolvedProvider,
  RunningTable,
  StartedProvider
} from '#capsule-host'
import { errorMessage, type Logger } from '#contracts'
import type { CapsuleRuntime } from './capsule-runtime.ts'
import type { Capsules, CapsuleStreams, VerifiedPackage } from './capsules.ts'
import { installedTarget, type ReleaseCapsules } from './release-capsules.ts'
import { shippedProviderOf } from './shipped-capsules.ts'

/** Bytes of what a provider writes that one line of the node's log shows. */
const LOGGED_BYTES_MAX = 512

/** What {@link startProvider} works with. */
export interface StartProviderComponents {
  readonly runtime: Pick<CapsuleRuntime, 'start'>
  /** Where what runs is seen, and stopped. */
  readonly running: RunningTable
  readonly logger: Logger
}

/** Packages kept between finding a provider and starting it. */
const FOUND_MAX = 32

/** What {@link createProviderSource} works with. */
export interface ProviderSourceComponents {
  /** Finds the capsules a user chose or a manifest names; only read after all parts are made. */
  readonly capsules: () => Pick<Capsules, 'verify'>
  readonly release: Pick<ReleaseCapsules, 'current'>
  /** What is installed is served in the version that is installed. */
  readonly installed: () => Pick<Lifecycle, 'lookup'>
  readonly runtime: Pick<CapsuleRuntime, 'start'>
  readonly running: RunningTable
  readonly logger: Logger
}

/** Providers: the capsules of this release, and those that a user or a manifest names. */
export function createProviderSource({
  capsules,
  release,
  installed,
  runtime,
  running,
  logger
}: ProviderSourceComponents): ProviderSource {
  const found = new Map<string, VerifiedPackage>()
  const remember = (verified: VerifiedPackage): void => {
    const key = keyOf(verified.lineage, verified.status.cid)
    found.delete(key)
    found.set(key, verified)
    const [oldest] = found.keys()
    if (found.size > FOUND_MAX && oldest !== undefined) found.delete(oldest)
  }
  const ownProvider = async (contract: string, signal: AbortSignal): Promise<VerifiedPackage | undefined> => {
    const name = shippedProviderOf(contract)
    return name === undefined ? undefined : await release.current(name, { signal })
  }
  const targetOf = (capsule: string, pinned: string | undefined): string => {
    const known = installed().lookup(capsule)
    return known === undefined ? (pinned ?? capsule) : installedTarget(known)
  }
  return {
    resolve: async ({ contract, capsule, pinned }, signal) => {
      const verified =
        capsule === undefined
          ? await ownProvider(contract, signal)
          : await capsules().verify(targetOf(capsule, pinned), { signal })
      if (verified === undefined) return undefined
      remember(verified)
      return resolvedOf(verified)
    },
    start: async (provider) => {
      const verified = found.get(keyOf(provider.lineage, provider.cid))
      if (verified === undefined) throw new Error('expected a provider that was resolved')
      return await startProvider({ runtime, running, logger }, verified)
    }
  }
}

/** The same bytes can belong to two lineages, of which one has powers: neither is started in the other's place. */
function keyOf(lineage: string, cid: string): string {
  return `${lineage} ${cid}`
}

function resolvedOf({ status, lineage, opened }: VerifiedPackage): ResolvedProvider {
  const { requires, provides } = opened.manifest
  return { cid: status.cid, lineage, requires, provides }
}

/** Runs a provider with nobody at its standard streams: what it writes goes to the node's log. */
export async function startProvider(
  { runtime, running, logger }: StartProviderComponents,
  capsule: VerifiedPackage,
  args: readonly string[] = []
): Promise<StartedProvider> {
  const { lineage, status } = capsule
  const stop = new AbortController()
  const write = (bytes: Uint8Array): void => {
    const text = new TextDecoder().decode(bytes.subarray(0, LOGGED_BYTES_MAX))
    logger.info('a provider wrote', { name: capsule.status.name, text })
  }
  const { name, version, cid } = status
  const run = running.enter({ lineage, name, version, cid, isDetached: true }, stop.signal)
  const streams: CapsuleStreams = {
    args,
    stdin: noInput(),
    stdout: { write },
    stderr: { write },
    signal: run.signal,
    onLog: (level, text) => logger.info('a provider says', { name, level, text }),
    onCalls: (count) => (run.counters.calls += count)
  }
  const leave = (): void => run[Symbol.dispose]()
  const started = runtime.start(capsule, streams)
  started.catch(leave)
  const { process, session } = await started
  run.setProcess(process.pid)
  void process.finished.then(leave)
  return {
    provider: session.provider,
    ended: process.finished.then((outcome) => {
      if (outcome.kind === 'error' && !isStopped(outcome.error)) {
        logger.warn('a provider failed', { name: capsule.status.name, error: errorMessage(outcome.error) })
      }
    }),
    stop: (graceMs) => session.stop(graceMs),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await process[Symbol.asyncDispose]()
    }
  }
}

function isStopped(error: CapsuleError): boolean {
  return error.code === 'ERR_CAPSULE_STOPPED'
}

async function* noInput(): AsyncGenerator<Uint8Array> {
  // Nobody is there to type.
}
