import { silentLogger } from '#contracts'
import { createKeyPair, type KeyPair } from '#did'
import type { GrantAnswer, GrantQuestion } from '#providers'
import { createMemoryAuthorityStore } from '../../capsule-host/authority/memory-store.ts'
import { openAuthority } from '../../capsule-host/authority/open-authority.ts'
import type { Authority } from '../../capsule-host/authority/authority.ts'
import { createBroker, type Broker, type BrokerSession } from '../../capsule-host/broker/broker.ts'
import type { CapsuleSession } from '../../capsule-host/broker/capsule-session.ts'
import type { HostPower } from '../../capsule-host/broker/host-power.ts'
import type { Provider, ProviderDirectory } from '../../capsule-host/broker/provider.ts'
import { refusal } from '../../capsule-host/broker/refusal.ts'
import type { CapsuleError } from '../../capsule-host/errors.ts'
import type { CapsuleChannel } from '../../capsule-host/process/channel.ts'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

type Json = Record<string, unknown>

/** The code in an answer that is a refusal. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** The other end of a channel, as a capsule has it. */
export class FakeCapsule {
  readonly session: BrokerSession
  readonly id: string
  readonly received: Json[] = []
  failed: CapsuleError | undefined
  waitingBytes = 0
  /** Answers what the host asks, when the capsule provides something. */
  onRequest: (method: string, params: Json, id: string) => Promise<unknown> = async () => ({})
  readonly #channel: CapsuleChannel
  readonly #answers = new Map<unknown, PromiseWithResolvers<unknown>>()
  #asked = 0

  constructor(session: BrokerSession, id: string) {
    this.session = session
    this.id = id
    const waitingBytes = (): number => this.waitingBytes
    this.#channel = session.channel({
      send: (lines) => this.#take(lines),
      get waitingBytes() {
        return waitingBytes()
      },
      fail: (error) => {
        this.failed ??= error
      }
    })
  }

  push(bytes: Uint8Array): number {
    return this.#channel.push(bytes)
  }

  write(text: string): number {
    return this.push(Buffer.from(text))
  }

  send(message: object): number {
    return this.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  }

  notify(method: string, params: object): void {
    this.send({ method, params })
  }

  /** @throws Refused */
  async request(method: string, params: object = {}): Promise<Json> {
    const id = ++this.#asked
    const answer = Promise.withResolvers<unknown>()
    this.#answers.set(id, answer)
    this.send({ id, method, params })
    return (await answer.promise) as Json
  }

  async call(command: string, params: object = {}): Promise<Json> {
    return await this.request('provider.call', { command, params })
  }

  /** What came of a method, parameters only. */
  told(method: string): Json[] {
    return this.received.filter((message) => message['method'] === method).map(({ params }) => params as Json)
  }

  close(): void {
    this.#channel.close()
  }

  #take(lines: Uint8Array): void {
    for (const line of Buffer.from(lines).toString().split('\n')) {
      if (line === '') continue
      const message = JSON.parse(line) as Json
      this.received.push(message)
      const { id, method } = message
      if (typeof method === 'string') {
        if (typeof id === 'string') void this.#serve(id, method, message['params'] as Json)
        continue
      }
      const answer = this.#answers.get(id)
      this.#answers.delete(id)
      const error = message['error'] as { data: { code: string } } | undefined
      if (error === undefined) answer?.resolve(message['result'])
      else answer?.reject(new Refused(error.data.code))
    }
  }

  async #serve(id: string, method: string, params: Json): Promise<void> {
    try {
      const result = await this.onRequest(method, params, id)
      this.send({ id, result })
    } catch (thrown) {
      const code = (thrown as { code?: string }).code ?? 'ERR_ANY'
      this.send({ id, error: { code: 1, message: 'no', data: { code } } })
    }
  }
}

/** A broker over a real authority in memory, with a shell and providers that the test scripts. */
export interface BrokerLab extends AsyncDisposable {
  readonly authority: Authority
  readonly broker: Broker
  readonly clock: VirtualClock
  readonly questions: GrantQuestion[]
  /** What the shell answers; by default everything is allowed for the session. */
  decide: (question: GrantQuestion, signal: AbortSignal) => Promise<GrantAnswer>
  /** By contract. */
  readonly providers: Map<string, Provider>
  /** Replaces the directory over `providers`. */
  directory: ProviderDirectory
  /** A capsule that introduced itself. */
  start(init?: Partial<CapsuleSession>): Promise<FakeCapsule>
  /** A capsule that did not. */
  connect(init?: Partial<CapsuleSession>): FakeCapsule
}

/** What capsules of tests may ask for, and call. */
export const ALL_CONTRACTS: readonly string[] = ['localhost@1', 'did@1', 'peer@1', 'content@1', 'http@1']

/** Opens a {@link BrokerLab}. */
export async function openBrokerLab(
  init: { readonly powers?: ReadonlyMap<string, HostPower>; readonly device?: KeyPair } = {}
): Promise<BrokerLab> {
  const clock = createVirtualClock()
  const random = createSeededRandom(7)
  const authority = await openAuthority({
    store: createMemoryAuthorityStore(),
    device: init.device ?? createKeyPair(random),
    ...{ clock, random, logger: silentLogger }
  })
  let opened = 0
  const lab: Omit<BrokerLab, 'broker'> & { broker: Broker } = {
    ...{ authority, clock },
    questions: [],
    decide: async () => ({ isAllowed: true, scope: 'session', decidedBy: 'person' }),
    providers: new Map(),
    directory: {
      find: async (contract) => {
        const provider = lab.providers.get(contract)
        if (provider === undefined) throw refusal('ERR_PROVIDER_NONE')
        return { provider }
      }
    },
    broker: undefined as unknown as Broker,
    connect: (session = {}) => {
      const id = session.id ?? `s${++opened}`
      return new FakeCapsule(lab.broker.open({ ...BARE_SESSION, id, ...session }), id)
    },
    start: async (session) => {
      const capsule = lab.connect(session)
      await capsule.request('initialize', { versions: [1] })
      return capsule
    },
    [Symbol.asyncDispose]: async () => {
      lab.broker[Symbol.dispose]()
      await authority[Symbol.asyncDispose]()
    }
  }
  lab.broker = createBroker({
    ...{ authority, clock, random, logger: silentLogger },
    shell: {
      decide: async (question, signal) => {
        lab.questions.push(question)
        return await lab.decide(question, signal)
      }
    },
    providers: {
      find: async (contract, seeker, signal) => await lab.directory.find(contract, seeker, signal)
    },
    ...(init.powers === undefined ? {} : { powers: init.powers })
  })
  return lab
}

/** A published capsule without any right, that may ask for files. */
export const BARE_SESSION: Omit<CapsuleSession, 'id'> = {
  lineage: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH/notes',
  name: 'notes',
  version: '1.0.0',
  publisher: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH',
  ceiling: [{ command: 'localhost/*', resource: 'localhost://*' }],
  requires: ALL_CONTRACTS.map((contract) => ({ contract })),
  provides: [],
  powers: [],
  isOwn: false
}
