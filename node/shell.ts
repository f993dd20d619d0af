import {
  CapsuleError,
  createPromptDesk,
  type HostPower,
  type PromptChoice,
  type PromptDesk,
  type Provider,
  type Shell
} from '#capsule-host'
import { errorCode, errorMessage, type Clock, type Logger } from '#contracts'
import type { Did } from '#did'
import type { GrantAnswer, GrantQuestion } from '#providers'
import { decide, type ShellMode } from '#shell'
import type { Contacts } from './contacts.ts'
import type { NodeInit } from './types.ts'
import { VERSION } from './version.ts'

/** What decides what capsules may do, and where their questions wait for a person. */
export interface NodeShell extends AsyncDisposable {
  readonly mode: ShellMode
  readonly shell: Shell
  readonly desk: PromptDesk
  /** What the shell capsule asks a person with. */
  readonly power: HostPower
}

/** A shell capsule that runs. Disposing it ends it. */
export interface RunningShell extends AsyncDisposable {
  readonly provider: Provider
  /** Resolves when it has ended, whyever. */
  readonly ended: Promise<unknown>
}

/** What {@link createNodeShell} works with. */
export interface NodeShellComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly did: Did
  readonly contacts: Pick<Contacts, 'list'>
  /** Files of a lineage below a resource such as `localhost://notes/`, for picking one. */
  readonly filesBelow: (lineage: string, resource: string) => Promise<readonly PromptChoice[]>
  /** Keeps an answer that comes when nobody waits for it any more. */
  readonly keep: (question: GrantQuestion, answer: GrantAnswer) => Promise<void>
  /** Starts the shell capsule in a mode. */
  readonly start: (mode: ShellMode) => Promise<RunningShell>
}

/** After so long without a question the shell capsule is ended. */
const IDLE_MS = 60_000

/** The shell of this node: a capsule like others, which is started by the first question. */
export function createNodeShell(components: NodeShellComponents, init: Pick<NodeInit, 'shell'>): NodeShell {
  const { clock, keep } = components
  const mode = init.shell ?? 'prompt'
  const desk = createPromptDesk({
    ...{ clock, keep },
    choicesOf: async (question) => await choicesOf(components, question)
  })
  const capsule = new ShellCapsule(components, mode)
  const decideHere: Shell['decide'] = async (question, signal) =>
    await decide(question, { mode, askPerson: async (asked) => await desk.ask(asked, signal) })
  return {
    ...{ mode, desk },
    power: {
      contract: 'shell@1',
      helps: {},
      provider: {
        call: async ({ params, signal }) => await desk.ask(params as GrantQuestion, signal),
        open: () => {
          throw new CapsuleError('ERR_QUESTION_UNKNOWN', 'expected a question, not a stream')
        }
      }
    },
    shell: {
      decide: async (question, signal) => {
        try {
          return await capsule.decide(question, signal)
        } catch (thrown) {
          if (errorCode(thrown) !== 'ERR_SANDBOX_UNAVAILABLE') throw thrown
          // Where no capsule can be held, only its owner's own run: the same policy decides about them in this process.
          return await decideHere(question, signal)
        }
      }
    },
    [Symbol.asyncDispose]: async () => await capsule[Symbol.asyncDispose]()
  }
}

/** The shell capsule, started when it is needed and ended when it is not. */
class ShellCapsule implements AsyncDisposable {
  readonly #components: NodeShellComponents
  readonly #mode: ShellMode
  #running: Promise<RunningShell> | undefined
  #questions = 0
  #idle: Disposable | undefined
  #isDisposed = false

  constructor(components: NodeShellComponents, mode: ShellMode) {
    this.#components = components
    this.#mode = mode
  }

  async decide(question: GrantQuestion, signal: AbortSignal): Promise<GrantAnswer> {
    this.#questions++
    this.#idle?.[Symbol.dispose]()
    try {
      const { provider } = await this.#started()
      // What it says is checked by who asked: it is an answer, and no wider than the question.
      return (await provider.call(this.#requestOf(question, signal))) as GrantAnswer
    } finally {
      this.#questions--
      if (this.#questions === 0) {
        this.#idle = this.#components.clock.after(IDLE_MS, () => void this.#end())
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#idle?.[Symbol.dispose]()
    await this.#end()
  }

  async #started(): Promise<RunningShell> {
    if (this.#isDisposed) throw new CapsuleError('ERR_CAPSULE_STOPPED', 'the node stops')
    const starting = (this.#running ??= this.#components.start(this.#mode))
    const forget = (): void => {
      if (this.#running === starting) this.#running = undefined
    }
    try {
      const running = await starting
      void running.ended.then(forget, forget)
      return running
    } catch (thrown) {
      forget()
      this.#components.logger.warn('the shell does not start', { error: errorMessage(thrown) })
      throw thrown
    }
  }

  async #end(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await (await running?.catch(() => undefined))?.[Symbol.asyncDispose]()
  }

  #requestOf(question: GrantQuestion, signal: AbortSignal): Parameters<Provider['call']>[0] {
    const { did } = this.#components
    return {
      caller: { lineage: 'host', name: 'node', version: VERSION, audience: did },
      sessionId: 'host',
      sessionSignal: signal,
      subject: did,
      command: 'shell/decide',
      resource: 'elastos://shell/question',
      params: question,
      signal
    }
  }
}

/** What a person may pick: their own contacts, or what the capsule keeps. */
async function choicesOf(
  { contacts, filesBelow }: NodeShellComponents,
  { pick, resource, capsule }: GrantQuestion
): Promise<readonly PromptChoice[]> {
  const base = resource.endsWith('://*') ? resource.slice(0, -1) : resource.replace(/\*$/, '')
  if (pick === 'person') {
    return contacts.list().map(({ petname, did }) => ({ label: petname, resource: `${base}${did}` }))
  }
  const isFile = (pick === 'file' || pick === 'folder') && base.startsWith('localhost:')
  return isFile ? await filesBelow(capsule.lineage, base) : []
}
