import assert from 'node:assert/strict'
import type { Provider, ProviderRequest } from '../../../../capsule-host/broker/provider.ts'
import { BARE_SESSION, openBrokerLab, type BrokerLab } from '../../../support/capsule-broker.ts'

const DATA = { data: 'aGVsbG8=', isEnd: true }
const READ = { command: 'localhost/read', resource: 'localhost://a.txt' }

/** A provider that answers every call with `answer` and keeps what it was asked. */
function recordingProvider(answer: unknown = DATA): Provider & { readonly asked: ProviderRequest[] } {
  const asked: ProviderRequest[] = []
  return {
    asked,
    call: async (request) => {
      asked.push(request)
      return answer
    },
    open: async function* (request) {
      asked.push(request)
      yield* []
    }
  }
}

describe('a capsule behind the broker', () => {
  let lab: BrokerLab

  beforeEach(async () => {
    lab = await openBrokerLab()
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  it('has to introduce itself first, and once', async () => {
    const capsule = lab.connect()
    await assert.rejects(capsule.request('capability.list'), { code: 'ERR_CHANNEL_STATE' })
    await assert.rejects(capsule.request('initialize', { versions: [7] }), { code: 'ERR_CHANNEL_VERSION' })
    const hello = await capsule.request('initialize', { versions: [9, 1] })
    assert.equal(hello['version'], 1)
    assert.deepEqual(hello['capsule'], {
      ...{
        lineage: BARE_SESSION.lineage,
        name: 'notes',
        version: '1.0.0',
        publisher: BARE_SESSION.publisher
      },
      audience: lab.authority.audienceOf(BARE_SESSION.lineage)
    })
    await assert.rejects(capsule.request('initialize', { versions: [1] }), { code: 'ERR_CHANNEL_STATE' })
  })

  it('can do nothing before it was granted', async () => {
    const provider = recordingProvider()
    lab.providers.set('localhost@1', provider)
    const capsule = await lab.start()
    await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), {
      code: 'ERR_CAPABILITY_MISSING'
    })
    assert.deepEqual(provider.asked, [])
  })

  it('does what it was granted, as itself', async () => {
    const provider = recordingProvider()
    lab.providers.set('localhost@1', provider)
    const capsule = await lab.start()
    const held = await capsule.request('capability.request', { ...READ, reason: 'to show it' })
    assert.equal(held['resource'], READ.resource)
    assert.deepEqual(await capsule.call('localhost/read', { path: 'a.txt' }), DATA)
    const [request] = provider.asked
    const audience = lab.authority.audienceOf(BARE_SESSION.lineage)
    assert.equal(request?.caller.lineage, BARE_SESSION.lineage)
    assert.equal(request?.subject, audience)
    assert.equal(request?.resource, 'localhost://a.txt')
    await assert.rejects(capsule.call('localhost/read', { path: 'b.txt' }), {
      code: 'ERR_CAPABILITY_MISSING'
    })
  })

  it('cannot pass for another by what it says', async () => {
    const provider = recordingProvider()
    lab.providers.set('localhost@1', provider)
    const victim = await lab.start()
    await victim.request('capability.request', READ)
    const thief = await lab.start({ lineage: 'dev:0123/thief', name: 'thief', isOwn: true })
    const as = { lineage: BARE_SESSION.lineage, caller: { lineage: BARE_SESSION.lineage } }
    await assert.rejects(
      thief.request('provider.call', { command: 'localhost/read', params: { path: 'a.txt' }, ...as }),
      { code: 'ERR_CHANNEL_PARAMS' }
    )
    await assert.rejects(
      thief.request('provider.call', { command: 'localhost/read', params: { path: 'a.txt', ...as } }),
      { code: 'ERR_CHANNEL_PARAMS' }
    )
    const subject = lab.authority.audienceOf(BARE_SESSION.lineage)
    await assert.rejects(
      thief.request('provider.call', { command: 'localhost/read', params: { path: 'a.txt' }, subject }),
      { code: 'ERR_CAPABILITY_MISSING' }
    )
    assert.deepEqual(provider.asked, [])
  })

  it('sees no capability of another, and can neither drop nor delegate it', async () => {
    const victim = await lab.start()
    const { token } = await victim.request('capability.request', READ)
    const thief = await lab.start({ lineage: 'dev:0123/thief', name: 'thief' })
    assert.deepEqual(await thief.request('capability.list'), { capabilities: [] })
    await assert.rejects(thief.request('capability.drop', { token }), { code: 'ERR_CAPABILITY_UNKNOWN' })
    await assert.rejects(thief.request('capability.delegate', { token, to: 'dev:0123/thief' }), {
      code: 'ERR_CAPABILITY_UNKNOWN'
    })
    const { capabilities } = await victim.request('capability.list')
    assert.equal((capabilities as unknown[]).length, 1)
  })

  it('lists as much of what it holds as fits a line', async () => {
    const { lineage } = BARE_SESSION
    const long = 'x'.repeat(200)
    for (let turn = 0; turn < 100; turn++) {
      const resource = `localhost://${turn}/${long}/${long}/${long}/${long}`
      await lab.authority.grant({
        lineage,
        command: 'localhost/read',
        resource,
        scope: 'always',
        decidedBy: 'person'
      })
    }
    const capsule = await lab.start()
    const { capabilities } = await capsule.request('capability.list')
    assert((capabilities as unknown[]).length > 50)
  })

  it('gets its terminal back as it was', async () => {
    const raws: boolean[] = []
    const terminal = {
      status: () => ({ columns: 80, rows: 24, isRaw: raws.at(-1) === true }),
      setRaw: (isRaw: boolean) => void raws.push(isRaw)
    }
    const capsule = await lab.start({ terminal })
    await capsule.request('terminal.raw', { isRaw: true })
    capsule.close()
    assert.deepEqual(raws, [true, false])
  })

  it('loses with the session what was granted for it', async () => {
    const capsule = await lab.start()
    await capsule.request('capability.request', READ)
    capsule.close()
    await lab.clock.settle()
    assert.deepEqual(lab.authority.list(), [])
  })

  it('hears of its own revocation, and a call under way with that token ends', async () => {
    lab.providers.set('localhost@1', {
      ...recordingProvider(),
      call: async () => await new Promise(() => undefined)
    })
    const capsule = await lab.start()
    const { token } = await capsule.request('capability.request', READ)
    const calling = assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), {
      code: 'ERR_TOKEN_REVOKED'
    })
    await lab.clock.settle()
    await lab.authority.revoke(String(token))
    await calling
    assert.deepEqual(capsule.told('capability.revoked'), [{ token, code: 'ERR_TOKEN_REVOKED' }])
  })

  it('delegates a part of what it holds to another', async () => {
    const provider = recordingProvider()
    lab.providers.set('localhost@1', provider)
    const owner = await lab.start()
    const { token } = await owner.request('capability.request', {
      command: 'localhost/*',
      resource: 'localhost://shared/*'
    })
    const other = { ...BARE_SESSION, lineage: 'dev:99/viewer', name: 'viewer' }
    const narrower = { command: 'localhost/read', resource: 'localhost://shared/a.txt' }
    await assert.rejects(
      owner.request('capability.delegate', { token, to: other.lineage, resource: 'localhost://*' }),
      { code: 'ERR_CAPABILITY_WIDER' }
    )
    await owner.request('capability.delegate', { token, to: other.lineage, ...narrower })
    const viewer = await lab.start(other)
    const subject = lab.authority.audienceOf(BARE_SESSION.lineage)
    const read = { command: 'localhost/read', params: { path: 'shared/a.txt' }, subject }
    assert.deepEqual(await viewer.request('provider.call', read), DATA)
    assert.equal(provider.asked[0]?.subject, subject)
    assert.equal(provider.asked[0]?.caller.name, 'viewer')
    await owner.request('capability.drop', { token })
    await assert.rejects(viewer.request('provider.call', read), { code: 'ERR_TOKEN_REVOKED' })
  })

  it('learns nothing of why a provider failed but a code of the contract', async () => {
    const capsule = await lab.start()
    await capsule.request('capability.request', READ)
    for (const [thrown, code] of [
      [Object.assign(new Error('secret'), { code: 'ERR_FILE_NOT_FOUND' }), 'ERR_FILE_NOT_FOUND'],
      [Object.assign(new Error('secret'), { code: 'EACCES' }), 'ERR_PROVIDER_FAILED'],
      [new Error('/etc/secret'), 'ERR_PROVIDER_FAILED']
    ] as const) {
      lab.providers.set('localhost@1', {
        ...recordingProvider(),
        call: async () => {
          throw thrown
        }
      })
      await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code })
    }
    assert.doesNotMatch(JSON.stringify(capsule.received), /secret/)
  })

  it('is protected from a provider that answers nonsense, too much, or not at all', async () => {
    const capsule = await lab.start()
    await capsule.request('capability.request', READ)
    for (const answer of [
      null,
      { data: '%%%', isEnd: true },
      { ...DATA, more: 1 },
      { data: 'A'.repeat(1e5), isEnd: true }
    ]) {
      lab.providers.set('localhost@1', recordingProvider(answer))
      await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_PROVIDER_ANSWER' })
    }
    lab.providers.set('localhost@1', {
      ...recordingProvider(),
      call: async () => await new Promise(() => undefined)
    })
    const calling = assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), {
      code: 'ERR_PROVIDER_TIME_LIMIT'
    })
    await lab.clock.advance(30_000)
    await calling
  })

  it('does not burn a use when there is nobody to serve it', async () => {
    lab.decide = async () => ({ isAllowed: true, scope: 'once', decidedBy: 'person' })
    const capsule = await lab.start()
    await capsule.request('capability.request', READ)
    await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_PROVIDER_NONE' })
    lab.providers.set('localhost@1', recordingProvider())
    await capsule.call('localhost/read', { path: 'a.txt' })
    await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_TOKEN_USED_UP' })
  })

  it('can call only what its manifest requires', async () => {
    lab.providers.set('localhost@1', recordingProvider())
    const capsule = await lab.start({ requires: [] })
    await capsule.request('capability.request', READ)
    await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_PROVIDER_COMMAND' })
    await assert.rejects(capsule.call('nothing/read'), { code: 'ERR_PROVIDER_COMMAND' })
    await assert.rejects(capsule.call('localhost/__proto__'), { code: 'ERR_PROVIDER_COMMAND' })
  })

  it('has as many requests under way as it may, and the rest is refused', async () => {
    lab.providers.set('localhost@1', {
      ...recordingProvider(),
      call: async () => await new Promise(() => undefined)
    })
    const capsule = await lab.start()
    await capsule.request('capability.request', READ)
    const under = Array.from(
      { length: 16 },
      async () => await capsule.call('localhost/read', { path: 'a.txt' })
    )
    void Promise.allSettled(under)
    await assert.rejects(capsule.call('localhost/read', { path: 'a.txt' }), { code: 'ERR_CHANNEL_BUSY' })
    // Cancelling makes room again.
    const [, grantAnswer] = capsule.received
    assert(grantAnswer !== undefined)
    capsule.notify('cancel', { id: 3 })
    await assert.rejects(under[0]!, { code: 'ERR_CANCELLED' })
    capsule.close()
  })

  it('is ended when it never reads what it asks for', async () => {
    const capsule = await lab.start()
    capsule.waitingBytes = 512 * 1024
    capsule.send({ id: 9, method: 'capability.list' })
    await lab.clock.settle()
    assert.equal(capsule.failed?.code, 'ERR_CAPSULE_CHANNEL')
  })

  it('knows its terminal, when it has one', async () => {
    const bare = await lab.start()
    await assert.rejects(bare.request('terminal.get'), { code: 'ERR_TERMINAL_NONE' })
    let isRaw = false
    const terminal = {
      status: () => ({ columns: 80, rows: 24, isRaw }),
      setRaw: (raw: boolean) => {
        isRaw = raw
      }
    }
    const capsule = await lab.start({ terminal })
    assert.deepEqual(await capsule.request('terminal.raw', { isRaw: true }), {
      columns: 80,
      rows: 24,
      isRaw: true
    })
    capsule.session.resize({ columns: 100, rows: 30 })
    assert.deepEqual(capsule.told('terminal.resize'), [{ columns: 100, rows: 30 }])
    capsule.session.stop(500)
    assert.deepEqual(capsule.told('stop'), [{ graceMs: 500 }])
  })

  it('writes a log that no terminal can be hurt by', async () => {
    const lines: string[] = []
    const capsule = await lab.start({ log: (level, line) => lines.push(`${level} ${line}`) })
    capsule.notify('log', { level: 'info', message: 'a\u001b[2Jb\nc' })
    capsule.notify('log', { level: 'fatal', message: 'x' })
    assert.deepEqual(lines, ['info a?[2Jb?c'])
  })
})
