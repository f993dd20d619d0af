import type { Clock, Logger, Random, TerminalSize } from '#contracts'
import { errorMessage } from '#contracts'
import { CapsuleError } from '../errors.ts'
import type { CapsuleFiles } from '../files/files.ts'
import { authoriseFiles, type FileAccess } from './authorised-files.ts'
import type { BrokerAuthority, BrokerCore } from './broker-core.ts'
import type { CapsuleSession } from './capsule-session.ts'
import type { ChannelFactory } from '../process/channel.ts'
import { SESSIONS_MAX } from './constants.ts'
import type { HostPower } from './host-power.ts'
import type { Provider, ProviderDirectory, ProviderRequest } from './provider.ts'
import { createQuestions } from './questions.ts'
import { refusal } from './refusal.ts'
import { onceOnly, runSession, type RunningSession } from './session.ts'
import type { Shell } from './shell.ts'

/** What {@link createBroker} works with. */
export interface BrokerComponents {
  readonly authority: BrokerAuthority
  readonly shell: Shell
  readonly providers: ProviderDirectory
  /** By name, as a manifest asks for them: `disk`. */
  readonly powers?: ReadonlyMap<string, HostPower>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A session that was opened; its capsule may not run yet. */
export interface BrokerSession {
  /** For `startCapsuleProcess`; one process a session. */
  readonly channel: ChannelFactory
  /** The capsule as a provider of what it `provides`; fails with `ERR_PROVIDER_GONE` before it runs and after it ended. */
  readonly provider: Provider
  /** `files`, each call only with a token for it; what nobody decided yet is asked when it is needed. */
  files(files: CapsuleFiles): CapsuleFiles
  /** Asks the capsule to end within `graceMs`; ending it then is the caller's to do. */
  stop(graceMs: number): void
  /** The terminal of its user has another size. */
  resize(size: TerminalSize): void
}

/** Stands between capsules and everything: no request of one is done but through here. Disposing it ends what it does. */
export interface Broker extends Disposable {
  /**
   * Opens a session for a capsule about to run. It ends when its channel is closed.
   *
   * @throws CapsuleError `ERR_CAPSULES_TOO_MANY`
   */
  open(session: CapsuleSession): BrokerSession
}

/** A broker without sessions. */
export function createBroker(components: BrokerComponents): Broker {
  const { authority, providers, clock } = components
  const logger = components.logger.child('broker')
  const core: BrokerCore = {
    ...{ authority, providers, clock, logger },
    questions: createQuestions({ ...components, logger }),
    powers: components.powers ?? new Map<string, HostPower>()
  }
  const running = new Map<string, RunningSession>()
  const revocations = authority.onRevoked((grant, code) => {
    for (const session of running.values()) {
      if (session.state.session.lineage === grant.lineage) session.revoked(grant, code)
    }
  })
  const endGrants = async (id: string): Promise<void> => {
    try {
      await authority.endSession(id)
    } catch (thrown) {
      logger.error('grants of a session not ended', { error: errorMessage(thrown) })
    }
  }
  const attach = (session: CapsuleSession): ChannelFactory =>
    onceOnly((port) => {
      const onClosed = (): void => {
        running.delete(session.id)
        void endGrants(session.id)
      }
      const opened = runSession({ core, session, port, onClosed })
      running.set(session.id, opened)
      return opened.channel
    })
  return {
    open: (session) => {
      if (running.size >= SESSIONS_MAX || running.has(session.id)) {
        throw new CapsuleError('ERR_CAPSULES_TOO_MANY', `expected at most ${SESSIONS_MAX} capsules at a time`)
      }
      return {
        channel: attach(session),
        provider: whileRunning(() => running.get(session.id)),
        files: (files) => {
          const { lineage, id: sessionId, ceiling } = session
          const ask: FileAccess['ask'] = async (entry) => (await running.get(sessionId)?.ask(entry)) ?? false
          return authoriseFiles(files, { authority, lineage, sessionId, ceiling, ask })
        },
        stop: (graceMs) => running.get(session.id)?.stop(graceMs),
        resize: (size) => running.get(session.id)?.resize(size)
      }
    },
    [Symbol.dispose]: () => {
      revocations[Symbol.dispose]()
      for (const session of [...running.values()]) session.channel.close()
    }
  }
}

function whileRunning(find: () => RunningSession | undefined): Provider {
  const provider = (): Provider => {
    const session = find()
    if (session === undefined) throw refusal('ERR_PROVIDER_GONE')
    return session.provider
  }
  return {
    call: async (request: ProviderRequest) => await provider().call(request),
    open: (request, input) => provider().open(request, input)
  }
}
