import assert from 'node:assert/strict'
import fc from 'fast-check'
import { findCommand } from '#providers'
import type { HostPower } from '../../capsule-host/broker/host-power.ts'
import type { ProviderRequest } from '../../capsule-host/broker/provider.ts'
import { BARE_SESSION, openBrokerLab, Refused, type BrokerLab, type FakeCapsule } from './capsule-broker.ts'

/** What a hostile provider says, line by line. */
export type ProviderWords = readonly object[]

const DATA = { data: 'aGVsbG8=', isEnd: true }
const PROVIDER = {
  ...{ lineage: 'dev:6/hostile', name: 'hostile', version: '1.0.0', ceiling: [], requires: [] },
  ...{ provides: ['localhost@1', 'peer@1'], powers: ['disk'] }
}
const CALLER = {
  ...BARE_SESSION,
  ceiling: [
    { command: 'localhost/*', resource: 'localhost://*' },
    { command: 'peer/*', resource: 'elastos://peer/*' }
  ]
}
/** What a caller may hear when its provider is hostile. */
const CODES = new Set([
  ...['ERR_PROVIDER_FAILED', 'ERR_PROVIDER_ANSWER', 'ERR_PROVIDER_GONE', 'ERR_PROVIDER_TIME_LIMIT'],
  ...['ERR_STREAM_CREDIT', 'ERR_FILE_NOT_FOUND']
])

const requests = fc.constantFrom('h1', 'h2', 'h3', 'h4', 'h5', 'h6')
const id = fc.oneof(
  { weight: 12, arbitrary: requests },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(1, '', 'h99') }
)
const stream = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(1, 2) }, { weight: 1, arbitrary: fc.nat(9) })
const sound = fc.constantFrom<unknown>(
  DATA,
  {},
  { type: 'file', bytes: 1, modifiedAtMs: 1 },
  { type: 'dropped', code: 'x', count: 1 }
)
const value = fc.oneof(
  { weight: 8, arbitrary: sound },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({ ...DATA, more: 1 }, { credit: 3 }, null) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) }
)
const code = fc.constantFrom('ERR_FILE_NOT_FOUND', 'ERR_CAPABILITY_DENIED', 'ERR_TOKEN_REVOKED', '', 'x')
const path = fc.constantFrom('a', 'b', '../a', 'a/b')
const serving = fc.oneof(fc.record({ call: requests }), fc.record({ stream }))
const answers = fc.record({ id, result: value })
const refusals = fc.record({
  id,
  error: fc.record({ code: fc.integer(), message: fc.string(), data: fc.record({ code }) })
})
const items = fc.record({
  method: fc.constant('stream.next'),
  params: fc.record({ stream, item: value })
})
const ends = fc.record({
  method: fc.constant('stream.end'),
  params: fc.record({ stream, code }, { requiredKeys: ['stream'] })
})
const others = fc.record({
  method: fc.constantFrom('stream.close', 'stream.credit'),
  params: fc.record({ stream, credit: fc.nat(16) })
})
const uses = fc
  .tuple(
    fc.integer({ min: 100, max: 9999 }),
    fc.constantFrom('read', 'write', 'stat', 'delete'),
    path,
    serving
  )
  .map(([number, verb, at, served]) => ({
    id: number,
    method: 'power.call',
    params: {
      command: `disk/${verb}`,
      params: { path: at, ...(verb === 'write' ? { data: '' } : {}) },
      serving: served
    }
  }))
const word = fc.oneof(
  { weight: 6, arbitrary: answers },
  { weight: 6, arbitrary: uses },
  { weight: 4, arbitrary: items },
  ...[refusals, ends, others].map((arbitrary) => ({ weight: 1, arbitrary }))
)

/** Lines of a provider that was asked four things. */
export const providerWords: fc.Arbitrary<ProviderWords> = fc.array(word, { minLength: 5, maxLength: 40 })

/** Has a hostile provider serve two capsules, and checks what must hold whatever it says. */
export async function checkProvider(words: ProviderWords): Promise<void> {
  const used: ProviderRequest[] = []
  await using lab = await openBrokerLab({ powers: new Map([['disk', recordingPower(used)]]) })
  const provider = await lab.start(PROVIDER)
  provider.onRequest = async () => await new Promise(() => undefined)
  for (const contract of PROVIDER.provides) lab.providers.set(contract, provider.session.provider)
  const callers = await Promise.all(['one', 'two'].map(async (name) => await startCaller(lab, name)))
  const outcomes = callers.map(async (caller) => [
    await outcomeOf(caller, { command: 'localhost/read', params: { path: 'a' } }),
    await outcomeOf(caller, { command: 'localhost/stat', params: { path: 'b' } })
  ])
  for (const caller of callers) {
    await caller.request('provider.open', { command: 'peer/subscribe', params: { room: 'r' }, credit: 2 })
  }
  await lab.clock.settle()
  for (const said of words) {
    provider.send(said)
    await lab.clock.settle()
  }
  // Nobody waits for ever, whatever the provider did.
  await lab.clock.advance(70_000)
  for (const outcome of (await Promise.all(outcomes)).flat()) {
    assert(outcome === 'answered' || CODES.has(outcome), outcome)
  }
  for (const caller of callers) checkStream(caller)
  for (const { caller, command, resource, subject } of used) {
    const allowed = ['localhost/read localhost://a', 'localhost/stat localhost://b']
    assert(allowed.includes(`${command} ${resource}`), `${command} ${resource}`)
    assert.equal(subject, lab.authority.audienceOf(caller.lineage))
  }
}

function recordingPower(used: ProviderRequest[]): HostPower {
  return {
    contract: 'localhost@1',
    helps: {},
    provider: {
      call: async (request) => {
        used.push(request)
        return DATA
      },
      open: async function* () {
        yield* []
      }
    }
  }
}

async function startCaller(lab: BrokerLab, name: string): Promise<FakeCapsule> {
  const caller = await lab.start({ ...CALLER, lineage: `dev:7/${name}`, name })
  for (const entry of CALLER.ceiling) await caller.request('capability.request', entry)
  return caller
}

/** `answered`, with an answer that keeps to the contract, or a code. */
async function outcomeOf(caller: FakeCapsule, call: { command: string; params: object }): Promise<string> {
  try {
    const result = await caller.request('provider.call', call)
    const command = findCommand(call.command)?.command
    assert(command?.kind === 'call' && command.result.safeParse(result).success)
    return 'answered'
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.code
    throw thrown
  }
}

/** No more items than were allowed, each as the contract has it, and one end. */
function checkStream(caller: FakeCapsule): void {
  const command = findCommand('peer/subscribe')?.command
  const items = caller.told('stream.next').map(({ item }) => item)
  assert(items.length <= 2)
  for (const item of items) assert(command?.kind === 'stream' && command.item.safeParse(item).success)
  const ends = caller.told('stream.end')
  assert(ends.length <= 1)
  for (const end of ends) assert(end['code'] === undefined || CODES.has(end['code'] as string))
}
