import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CeilingEntry } from '#capability'
import { compileTypeScript, loadFirstPartyCapsule } from '#capsule-host'
import type { KeyPair } from '#did'
import type { HostPower } from '../../capsule-host/broker/host-power.ts'
import type { ChannelFactory } from '../../capsule-host/process/channel.ts'
import { BARE_SESSION, openBrokerLab, type FakeCapsule } from './capsule-broker.ts'
import { runModule } from './script-capsule.ts'

/** What a caller gets of a stream: the items until its end, and the code when it failed. */
export interface StreamOutcome {
  readonly items: readonly Record<string, unknown>[]
  readonly code: string | undefined
}

/** A capsule that may call the provider under test. */
export interface Caller {
  readonly lineage: string
  /** @throws an error with a `code` */
  call(command: string, params: object): Promise<Record<string, unknown>>
  open(command: string, params: object): Promise<StreamOutcome>
}

/** A provider that runs as a capsule in its sandbox, behind the broker, as its callers meet it. */
export interface ProviderLab extends AsyncDisposable {
  readonly caller: Caller
  /** A capsule of another lineage, which may do the same with its own. */
  readonly other: Caller
}

/** What a {@link ProviderLab} is made of. */
export interface ProviderLabInit {
  /** `localhost@1`. */
  readonly contract: string
  /** The capsule's module. */
  readonly module: Uint8Array
  readonly powers?: ReadonlyMap<string, HostPower>
  /** What callers may be granted. */
  readonly ceiling: readonly CeilingEntry[]
  readonly device?: KeyPair
}

/** How long an answer may take before a test gives up. */
const ANSWER_MS_MAX = 20_000

/** Starts a provider and two callers. */
export async function openProviderLab(init: ProviderLabInit): Promise<ProviderLab> {
  const { contract, module, ceiling, powers = new Map<string, HostPower>() } = init
  const stack = new AsyncDisposableStack()
  const lab = stack.use(
    await openBrokerLab({ powers, ...(init.device === undefined ? {} : { device: init.device }) })
  )
  const session = lab.broker.open({
    ...{ id: 'provider', lineage: 'shipped/provider', name: 'provider', version: '1.0.0', isOwn: false },
    ...{ ceiling: [], requires: [], provides: [contract], powers: [...powers.keys()] }
  })
  const stop = new AbortController()
  const connected = Promise.withResolvers<void>()
  const channel: ChannelFactory = (port) => {
    connected.resolve()
    return session.channel(port)
  }
  const ended = runModule(module, { channel, signal: stop.signal })
  ended.catch(connected.reject)
  stack.defer(async () => {
    stop.abort()
    await ended
  })
  await connected.promise
  lab.providers.set(contract, session.provider)
  const callerOf = async (name: string): Promise<Caller> => {
    const lineage = `${BARE_SESSION.lineage}-${name}`
    const capsule = await lab.start({ lineage, name, ceiling, requires: [{ contract }] })
    for (const { command, resource } of ceiling)
      await capsule.request('capability.request', { command, resource })
    stack.defer(() => capsule.close())
    return {
      lineage,
      call: async (command, params) => await capsule.call(command, params),
      open: async (command, params) => await streamOf(capsule, command, params)
    }
  }
  return {
    caller: await callerOf('one'),
    other: await callerOf('two'),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync()
  }
}

/** The module of a capsule of this project. */
export async function firstPartyModule(name: string): Promise<Uint8Array> {
  return (await loadFirstPartyCapsule(name)).module
}

/** The module of a capsule of `test/support/tiny-providers`. */
export async function tinyModule(name: string): Promise<Uint8Array> {
  return await compileTypeScript({ entry: join(import.meta.dirname, 'tiny-providers', `${name}.ts`) })
}

async function streamOf(capsule: FakeCapsule, command: string, params: object): Promise<StreamOutcome> {
  const { stream } = await capsule.request('provider.open', { command, params, credit: 4 })
  const ofStream = (method: string): Record<string, unknown>[] =>
    capsule.told(method).filter((told) => told['stream'] === stream)
  let credited = 0
  const startedAt = Date.now()
  while (Date.now() - startedAt < ANSWER_MS_MAX) {
    await sleep(2)
    const items = ofStream('stream.next').map((told) => told['item'] as Record<string, unknown>)
    const [end] = ofStream('stream.end')
    if (end !== undefined) {
      const { code } = end
      return { items, code: typeof code === 'string' ? code : undefined }
    }
    if (items.length > credited) {
      capsule.notify('stream.credit', { stream, credit: items.length - credited })
      credited = items.length
    }
  }
  throw new Error(`expected ${command} to end its stream`)
}
