import assert from 'node:assert/strict'
import fc from 'fast-check'
import { commandCovers, resourceCovers } from '#capability'
import { CAPSULE_CHANNEL_LIMITS } from '#contracts'
import { CONTRACTS } from '#providers'
import { CapsuleError } from '../../capsule-host/errors.ts'
import type { Provider, ProviderRequest } from '../../capsule-host/broker/provider.ts'
import {
  ALL_CONTRACTS,
  BARE_SESSION,
  openBrokerLab,
  type BrokerLab,
  type FakeCapsule
} from './capsule-broker.ts'

/** What a hostile capsule writes: pieces of bytes. */
export type Flood = readonly Uint8Array[]

const SECRET = '/home/secret'
const CEILING = { command: 'localhost/read', resource: 'localhost://a/*' }
const ATTACKER = { ...BARE_SESSION, lineage: 'dev:6/attacker', name: 'attacker', ceiling: [CEILING] }
const DATA = { data: 'aGVsbG8=', isEnd: true }

const METHODS = [
  ...['initialize', 'capability.request', 'capability.list', 'capability.drop', 'capability.delegate'],
  ...['provider.call', 'provider.open', 'power.call', 'power.open', 'terminal.get', 'terminal.raw'],
  ...['stream.next', 'stream.credit', 'stream.end', 'stream.close', 'log', 'cancel'],
  ...['provide.call', 'capability.revoked', 'constructor', '__proto__', '']
]
const EXAMPLES = [...CONTRACTS.values()].flatMap(({ name, commands }) =>
  Object.entries(commands).map(([verb, { example }]) => ({
    command: `${name}/${verb}`,
    params: example
  }))
)

const small = fc.integer({ min: -1, max: 20 })
const odd = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'a',
    '',
    'localhost://a/b',
    'localhost://a/*',
    'localhost://*',
    'localhost/*',
    '\u0000'
  ),
  fc.constantFrom<unknown>(null, true, {}, [], -1, 1e308, 2 ** 53),
  fc.jsonValue({ maxDepth: 3 })
)
const params = fc.oneof(
  fc.constantFrom<object>(...EXAMPLES),
  fc.constantFrom<object>(
    { versions: [1] },
    { command: 'localhost/read', params: { path: 'a/b' } },
    { command: 'localhost/read', params: { path: 'a/../b' } },
    { command: 'localhost/read', resource: 'localhost://a/b' },
    { command: 'localhost/read', resource: 'localhost://a/*', pick: 'file' },
    { command: 'localhost/write', resource: 'localhost://a/b' },
    { command: 'peer/subscribe', params: { room: 'r' }, credit: 4 },
    { isRaw: true }
  ),
  fc.record(
    { stream: small, credit: small, item: odd, code: odd, id: small, token: odd, level: odd, message: odd },
    { requiredKeys: [] }
  ),
  fc.dictionary(
    fc.constantFrom('command', 'params', 'subject', 'resource', 'caller', 'lineage', '__proto__'),
    odd
  ),
  odd
)
/** What a sound capsule would send, so that floods get past the first checks. */
const sound = fc.constantFrom<object>(
  { method: 'capability.request', params: { command: 'localhost/read', resource: 'localhost://a/b' } },
  { method: 'capability.request', params: { command: 'localhost/read', resource: 'localhost://a/*' } },
  { method: 'capability.request', params: { command: 'localhost/*', resource: 'localhost://a/b' } },
  { method: 'capability.list' },
  { method: 'provider.call', params: { command: 'localhost/read', params: { path: 'a/b' } } },
  { method: 'provider.call', params: { command: 'localhost/read', params: { path: 'a/c' } } },
  { method: 'provider.call', params: { command: 'localhost/write', params: { path: 'a/b', data: '' } } },
  { method: 'provider.call', params: { command: 'shell/decide', params: {} } },
  { method: 'provider.open', params: { command: 'peer/subscribe', params: { room: 'r' }, credit: 2 } },
  { method: 'power.call', params: { command: 'disk/read', params: { path: 'a/b' }, serving: { call: 'h1' } } }
)
const ids = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 100, max: 5000 }) },
  { weight: 1, arbitrary: small }
)
const message = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(ids, sound).map(([id, sent]) => ({ id, ...sent })) },
  {
    weight: 8,
    arbitrary: fc.record(
      { id: ids, method: fc.constantFrom(...METHODS), params },
      { requiredKeys: ['method'] }
    )
  },
  {
    weight: 2,
    arbitrary: fc.record({ id: fc.oneof(small, odd), result: odd, error: odd }, { requiredKeys: ['id'] })
  },
  { weight: 1, arbitrary: odd }
)
const damages = fc.record({ at: fc.nat(400), byte: fc.integer({ min: 0, max: 255 }) })
const line = fc
  .tuple(message, fc.oneof({ weight: 60, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: damages }))
  .map(([value, damage]) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    const text = JSON.stringify(isObject ? { jsonrpc: '2.0', ...value } : value)
    const bytes = Buffer.from(`${text}\n`)
    if (damage !== null) bytes[damage.at % bytes.length] = damage.byte
    return bytes
  })
const hello = Buffer.from('{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"versions":[1]}}\n')

/** Floods: mostly lines that are nearly right, after an introduction, cut anywhere. */
export const floods: fc.Arbitrary<Flood> = fc
  .tuple(
    fc.array(line, { maxLength: 40 }),
    fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
    fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
  )
  .map(([lines, cuts, isStranger]) => {
    const bytes = Buffer.concat(isStranger ? lines : [hello, ...lines])
    const pieces: Uint8Array[] = []
    for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
      const length = cuts[turn % cuts.length] ?? 1
      pieces.push(bytes.subarray(offset, offset + length))
      offset += length
    }
    return pieces
  })

/** Lets a hostile capsule write a flood, and checks what must hold whatever it writes. `note` hears every outcome. */
export async function checkFlood(
  flood: Flood,
  note: (outcome: string) => void = () => undefined
): Promise<void> {
  await using lab = await openBrokerLab()
  const asked: ProviderRequest[] = []
  for (const contract of ALL_CONTRACTS) lab.providers.set(contract, suspiciousProvider(asked))
  const bystander = await lab.start({ ...BARE_SESSION, lineage: 'dev:7/bystander', name: 'bystander' })
  await bystander.request('capability.request', { command: 'localhost/*', resource: 'localhost://*' })
  const attacker = lab.connect(ATTACKER)
  let wasFailed = false
  for (const [turn, piece] of flood.entries()) {
    const cost = attacker.push(piece)
    assert(Number.isSafeInteger(cost) && cost >= 0)
    // Now and then there is time for what was asked.
    if (turn % 8 === 0) await lab.clock.settle()
    // A process that broke the rules is ended; what it still writes must do no harm either.
    wasFailed ||= attacker.failed !== undefined
  }
  await lab.clock.settle()
  checkWhatItGot(lab, { attacker, asked })
  asked.length = 0
  assert.deepEqual(await bystander.call('localhost/read', { path: 'x' }), DATA)
  await lab.clock.advance(200_000)
  checkAnswers(attacker, { flood: Buffer.concat(flood), wasFailed })
  for (const received of attacker.received) note(outcomeOf(received))
  attacker.close()
  await lab.clock.settle()
  const held = lab.authority
    .list({ lineage: ATTACKER.lineage })
    .filter(({ sessionId }) => sessionId !== undefined)
  assert.deepEqual(held, [])
}

/** Answers the bystander; the attacker it answers too, and notes what for. */
function suspiciousProvider(asked: ProviderRequest[]): Provider {
  return {
    call: async (request) => {
      asked.push(request)
      if (request.caller.name === 'bystander' || request.resource === 'localhost://a/b') return DATA
      throw new Error(SECRET)
    },
    open: async function* (request) {
      asked.push(request)
      yield* []
    }
  }
}

/** Nothing was done but what it was granted, as itself, below its ceiling; nothing of the host leaked. */
function checkWhatItGot(
  lab: BrokerLab,
  { attacker, asked }: { attacker: FakeCapsule; asked: readonly ProviderRequest[] }
): void {
  for (const { caller, command, resource, subject } of asked) {
    assert.equal(caller.lineage, ATTACKER.lineage)
    assert.equal(subject, lab.authority.audienceOf(ATTACKER.lineage))
    assert(commandCovers(CEILING.command, command) && resourceCovers(CEILING.resource, resource))
  }
  for (const { lineage, command, resource } of lab.authority.list()) {
    if (lineage === 'dev:7/bystander') continue
    assert.equal(lineage, ATTACKER.lineage)
    assert(commandCovers(CEILING.command, command) && resourceCovers(CEILING.resource, resource))
  }
  for (const { capsule } of lab.questions.slice(1)) assert.equal(capsule.lineage, ATTACKER.lineage)
  assert.doesNotMatch(JSON.stringify(attacker.received), /secret/)
}

/** Every line is one of the protocol and fits; no request is answered twice, and none of a capsule that lives never. */
function checkAnswers(attacker: FakeCapsule, sent: { flood: Buffer; wasFailed: boolean }): void {
  const answered = new Map<unknown, number>()
  for (const received of attacker.received) {
    assert.equal(received['jsonrpc'], '2.0')
    assert(JSON.stringify(received).length <= CAPSULE_CHANNEL_LIMITS.lineBytesMax)
    if ('method' in received || received['id'] === null) continue
    answered.set(received['id'], (answered.get(received['id']) ?? 0) + 1)
  }
  if (attacker.failed !== undefined) {
    assert(attacker.failed instanceof CapsuleError)
    assert.equal(attacker.failed.code, 'ERR_CAPSULE_CHANNEL')
    return
  }
  const asked = new Map<unknown, number>()
  for (const line of sent.flood.toString().split('\n')) {
    const value = parse(line)
    const isRequest = value?.['jsonrpc'] === '2.0' && typeof value['method'] === 'string' && isId(value['id'])
    if (isRequest) asked.set(value['id'], (asked.get(value['id']) ?? 0) + 1)
  }
  assert.deepEqual(answered, asked)
}

function outcomeOf({ error, method }: Record<string, unknown>): string {
  if (typeof method === 'string') return method
  return error === undefined ? 'result' : (error as { data: { code: string } }).data.code
}

function isId(id: unknown): boolean {
  return (
    Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= CAPSULE_CHANNEL_LIMITS.idLengthMax)
  )
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(line) as unknown
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
