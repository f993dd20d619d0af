import assert from 'node:assert/strict'
import type { HostPower } from '../../../../capsule-host/broker/host-power.ts'
import type { ProviderRequest } from '../../../../capsule-host/broker/provider.ts'
import {
  BARE_SESSION,
  openBrokerLab,
  type BrokerLab,
  type FakeCapsule
} from '../../../support/capsule-broker.ts'

const DATA = { data: 'aGVsbG8=', isEnd: true }
const READ = { command: 'localhost/read', params: { path: 'a.txt' } }
const PROVIDER = {
  ...{
    lineage: 'dev:1/files',
    name: 'files',
    version: '2.0.0',
    provides: ['localhost@1', 'peer@1'],
    powers: ['disk', 'rooms']
  },
  ...{ ceiling: [], requires: [] }
}
const ALL = {
  ceiling: [
    { command: 'localhost/*', resource: 'localhost://*' },
    { command: 'peer/*', resource: 'elastos://peer/*' }
  ]
}

describe('a capsule that provides', () => {
  let lab: BrokerLab
  let files: FakeCapsule
  let used: ProviderRequest[]

  const caller = async (name = 'notes'): Promise<FakeCapsule> => {
    const capsule = await lab.start({ ...BARE_SESSION, ...ALL, lineage: `dev:2/${name}`, name })
    await capsule.request('capability.request', { command: 'localhost/*', resource: 'localhost://*' })
    await capsule.request('capability.request', { command: 'peer/*', resource: 'elastos://peer/*' })
    return capsule
  }

  beforeEach(async () => {
    used = []
    const power = (contract: string): HostPower => ({
      contract,
      helps: { write: ['stat'] },
      provider: {
        call: async (request) => {
          used.push(request)
          return request.command.endsWith('stat') ? { type: 'file', bytes: 1, modifiedAtMs: 1 } : DATA
        },
        open: async function* (request) {
          used.push(request)
          yield { type: 'dropped', code: 'x', count: 1 }
          yield { type: 'dropped', code: 'x', count: 2 }
        }
      }
    })
    lab = await openBrokerLab({
      powers: new Map([
        ['disk', power('localhost@1')],
        ['rooms', power('peer@1')],
        ['keys', power('did@1')]
      ])
    })
    files = await lab.start(PROVIDER)
    for (const contract of PROVIDER.provides) lab.providers.set(contract, files.session.provider)
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  it('is told who calls, what was allowed, and nothing more', async () => {
    let told: object | undefined
    files.onRequest = async (_method, params) => {
      told = params
      return DATA
    }
    const notes = await caller()
    assert.deepEqual(await notes.request('provider.call', READ), DATA)
    const audience = lab.authority.audienceOf('dev:2/notes')
    const { publisher, version } = BARE_SESSION
    assert.deepEqual(told, {
      ...{
        command: 'localhost/read',
        resource: 'localhost://a.txt',
        params: { path: 'a.txt' },
        subject: audience
      },
      caller: { lineage: 'dev:2/notes', name: 'notes', version, publisher, audience }
    })
  })

  it('refuses with the codes of its contract, and can pretend nothing else', async () => {
    const notes = await caller()
    for (const [code, told] of [
      ['ERR_FILE_NOT_FOUND', 'ERR_FILE_NOT_FOUND'],
      ['ERR_CAPABILITY_DENIED', 'ERR_PROVIDER_FAILED'],
      ['ERR_TOKEN_REVOKED', 'ERR_PROVIDER_FAILED'],
      ['x'.repeat(1000), 'ERR_PROVIDER_FAILED']
    ] as const) {
      files.onRequest = async () => {
        throw Object.assign(new Error(), { code })
      }
      await assert.rejects(notes.request('provider.call', READ), { code: told })
    }
    files.onRequest = async () => ({ nonsense: true })
    await assert.rejects(notes.request('provider.call', READ), { code: 'ERR_PROVIDER_ANSWER' })
  })

  it('lets nobody wait for ever: not when it hangs, nor when it ends', async () => {
    files.onRequest = async () => await new Promise(() => undefined)
    const notes = await caller()
    const first = assert.rejects(notes.request('provider.call', READ), { code: 'ERR_PROVIDER_TIME_LIMIT' })
    await lab.clock.advance(30_000)
    await first
    assert.equal(files.told('cancel').length, 1)
    const second = assert.rejects(notes.request('provider.call', READ), { code: 'ERR_PROVIDER_GONE' })
    await lab.clock.settle()
    files.close()
    await second
    await assert.rejects(notes.request('provider.call', READ), { code: 'ERR_PROVIDER_GONE' })
  })

  it('is ended when it leaves too much unanswered', async () => {
    files.onRequest = async () => await new Promise(() => undefined)
    const notes = await caller()
    const calls = Array.from({ length: 8 }, async () => await notes.request('provider.call', READ))
    const settled = Promise.allSettled(calls)
    await lab.clock.advance(30_000)
    await settled
    assert.equal(files.failed?.code, 'ERR_CAPSULE_CHANNEL')
  })

  it('is not ended, nor flooded, by a caller that asks and cancels', async () => {
    let asked = 0
    files.onRequest = async () => {
      asked += 1
      return await new Promise(() => undefined)
    }
    const flood = await caller('flood')
    for (let id = 1000; id < 1200; id++) {
      flood.send({ id, method: 'provider.call', params: READ })
      await lab.clock.settle()
      flood.notify('cancel', { id })
    }
    assert.equal(files.failed, undefined)
    assert.equal(asked, 8)
    // Others wait for no more than what it asked for in one go.
    files.onRequest = async () => DATA
    for (const { id, method } of files.received)
      if (method === 'provide.call') files.send({ id, result: DATA })
    const notes = await caller('notes')
    assert.deepEqual(await notes.request('provider.call', READ), DATA)
  })

  it('is asked when it has introduced itself, and is not waited for without end', async () => {
    const late = lab.connect({ ...PROVIDER, id: 'late' })
    lab.providers.set('localhost@1', late.session.provider)
    lab.providers.set('peer@1', late.session.provider)
    late.onRequest = async () => DATA
    const notes = await caller()
    const calling = notes.request('provider.call', READ)
    await lab.clock.settle()
    assert.deepEqual(late.received, [])
    await late.request('initialize', { versions: [1] })
    assert.deepEqual(await calling, DATA)
    const never = lab.connect({ ...PROVIDER, id: 'never' })
    lab.providers.set('peer@1', never.session.provider)
    await notes.request('provider.open', { command: 'peer/subscribe', params: { room: 'r' }, credit: 1 })
    await lab.clock.advance(30_000)
    assert.equal(notes.told('stream.end')[0]?.['code'], 'ERR_PROVIDER_TIME_LIMIT')
  })

  it('serves one capsule between the calls of another that floods it', async () => {
    const order: string[] = []
    const answers: (() => void)[] = []
    files.onRequest = async (_method, params) => {
      order.push((params['caller'] as { name: string }).name)
      await new Promise<void>((resolve) => answers.push(resolve))
      return DATA
    }
    const flood = await caller('flood')
    const notes = await caller('notes')
    const flooding = Array.from({ length: 16 }, async () => await flood.request('provider.call', READ))
    await lab.clock.settle()
    assert.equal(order.length, 8)
    const calling = notes.request('provider.call', READ)
    await lab.clock.settle()
    answers.shift()?.()
    answers.shift()?.()
    await lab.clock.settle()
    assert(order.indexOf('notes') < 10, order.join(' '))
    while (order.length < 17 || answers.length > 0) {
      answers.shift()?.()
      await lab.clock.settle()
    }
    await Promise.all([...flooding, calling])
  })

  it('streams no faster than its caller takes, through both channels', async () => {
    let made = 0
    let stream = 0
    let credit = 0
    files.onRequest = async (_method, params) => {
      stream = Number(params['stream'])
      credit = Number(params['credit'])
      return {}
    }
    const notes = await caller()
    const opened = await notes.request('provider.open', {
      ...{ command: 'peer/subscribe', params: { room: 'r' } },
      credit: 3
    })
    await lab.clock.settle()
    const send = (): void => {
      for (; credit > 0; credit--) {
        files.notify('stream.next', { stream, item: { type: 'dropped', code: 'x', count: ++made } })
      }
    }
    send()
    for (let turn = 0; turn < 20; turn++) {
      await lab.clock.settle()
      credit = files.told('stream.credit').reduce((sum, told) => sum + Number(told['credit']), 4) - made
      send()
    }
    assert.equal(notes.told('stream.next').length, 3)
    assert(made <= 8, String(made))
    notes.notify('stream.credit', { stream: opened['stream'], credit: 16 })
    await lab.clock.settle()
    assert(notes.told('stream.next').length > 3)
    files.notify('stream.end', { stream })
    notes.notify('stream.credit', { stream: opened['stream'], credit: 16 })
    await lab.clock.settle()
    assert.deepEqual(notes.told('stream.end'), [{ stream: opened['stream'] }])
  })

  it('that sends more than was allowed loses the stream', async () => {
    let stream = 0
    files.onRequest = async (_method, params) => {
      stream = Number(params['stream'])
      return {}
    }
    const notes = await caller()
    await notes.request('provider.open', { command: 'peer/subscribe', params: { room: 'r' }, credit: 1 })
    await lab.clock.settle()
    for (let count = 0; count < 50; count++) {
      files.notify('stream.next', { stream, item: { type: 'dropped', code: 'x', count } })
    }
    await lab.clock.settle()
    assert.deepEqual(files.told('stream.close'), [{ stream }])
    notes.notify('stream.credit', { stream: 1, credit: 16 })
    await lab.clock.settle()
    assert.equal(notes.told('stream.end').at(-1)?.['code'], 'ERR_STREAM_CREDIT')
  })

  describe('and was given a power', () => {
    /** What a use of the power gives while the call is served. */
    const whileServing = async (power: object, served: object = READ): Promise<unknown> => {
      const outcome = Promise.withResolvers<unknown>()
      files.onRequest = async (method, params, id) => {
        const serving = method === 'provide.call' ? { call: id } : { stream: params['stream'] }
        files.request('power.call', { serving, ...power }).then(outcome.resolve, outcome.reject)
        await outcome.promise.catch(() => undefined)
        return DATA
      }
      const notes = await caller()
      await notes.request('provider.call', served).catch(() => undefined)
      return await outcome.promise
    }

    it('uses it for the call it serves, as the caller', async () => {
      const power = { command: 'disk/read', params: { path: 'a.txt', offset: 0 } }
      assert.deepEqual(await whileServing(power), DATA)
      assert.equal(used[0]?.command, 'localhost/read')
      assert.equal(used[0]?.caller.lineage, 'dev:2/notes')
      assert.equal(used[0]?.subject, lab.authority.audienceOf('dev:2/notes'))
      assert.equal(used[0]?.resource, 'localhost://a.txt')
    })

    it('cannot use it for another file, another verb, another contract, or nothing', async () => {
      const none = { code: 'ERR_POWER_NONE' }
      for (const power of [
        { command: 'disk/read', params: { path: 'b.txt' } },
        { command: 'disk/write', params: { path: 'a.txt', data: '' } },
        { command: 'disk/stat', params: { path: 'a.txt' } },
        { command: 'rooms/join', params: { room: 'r', nick: 'n' } },
        { command: 'keys/personas' },
        { command: 'tape/read', params: { path: 'a.txt' } },
        { command: 'disk/constructor', params: { path: 'a.txt' } },
        { command: 'disk/read', params: { path: 'a.txt' }, serving: { call: 'h999' } },
        { command: 'disk/read', params: { path: 'a.txt' }, serving: { stream: 1 } }
      ]) {
        await assert.rejects(whileServing(power), none, JSON.stringify(power))
      }
      await assert.rejects(
        files.request('power.call', { command: 'disk/read', params: { path: 'a.txt' } }),
        none
      )
      assert.deepEqual(used, [])
    })

    it('can use a verb that helps with the one it serves', async () => {
      const served = { command: 'localhost/write', params: { path: 'a.txt', data: '' } }
      await whileServing({ command: 'disk/stat', params: { path: 'a.txt' } }, served)
      assert.equal(used[0]?.command, 'localhost/stat')
    })

    it('cannot use it any more when the call is over', async () => {
      let id = ''
      files.onRequest = async (_method, _params, served) => {
        id = served
        return DATA
      }
      const notes = await caller()
      await notes.request('provider.call', READ)
      const late = { command: 'disk/read', params: { path: 'a.txt' }, serving: { call: id } }
      await assert.rejects(files.request('power.call', late), { code: 'ERR_POWER_NONE' })
    })

    it('cannot use it any more when the call was cancelled, though it has not answered', async () => {
      let id = ''
      files.onRequest = async (_method, _params, served) => {
        id = served
        return await new Promise(() => undefined)
      }
      const notes = await caller()
      notes.send({ id: 77, method: 'provider.call', params: READ })
      await lab.clock.settle()
      notes.notify('cancel', { id: 77 })
      const late = { command: 'disk/read', params: { path: 'a.txt' }, serving: { call: id } }
      await assert.rejects(files.request('power.call', late), { code: 'ERR_POWER_NONE' })
      assert.deepEqual(used, [])
    })

    it('streams with it as long as it serves the stream', async () => {
      let stream = 0
      files.onRequest = async (_method, params) => {
        stream = Number(params['stream'])
        return {}
      }
      const notes = await caller()
      const open = { command: 'peer/subscribe', params: { room: 'r' }, credit: 1 }
      const { stream: number } = await notes.request('provider.open', open)
      await lab.clock.settle()
      const power = { command: 'rooms/subscribe', params: { room: 'r' }, serving: { stream }, credit: 1 }
      const opened = await files.request('power.open', power)
      await lab.clock.settle()
      assert.equal(files.told('stream.next').length, 1)
      notes.notify('stream.close', { stream: number })
      await lab.clock.settle()
      const ended = files.told('stream.end').filter((end) => end['stream'] === opened['stream'])
      assert.equal(ended[0]?.['code'], 'ERR_CANCELLED')
    })

    it('has none that it was not given, whatever its manifest says', async () => {
      const poor = await lab.start({ ...PROVIDER, id: 'poor', powers: [] })
      lab.providers.set('localhost@1', poor.session.provider)
      const refused = Promise.withResolvers<string>()
      poor.onRequest = async (_method, _params, id) => {
        const power = { command: 'disk/read', params: { path: 'a.txt' }, serving: { call: id } }
        await poor
          .request('power.call', power)
          .catch((thrown: unknown) => refused.resolve((thrown as { code: string }).code))
        return DATA
      }
      const notes = await caller()
      await notes.request('provider.call', READ)
      assert.equal(await refused.promise, 'ERR_POWER_NONE')
    })
  })
})
