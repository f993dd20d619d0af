import assert from 'node:assert/strict'
import type { LocalhostCommands, PeerCommands } from '#providers'
import { ProviderError, type ServedRequest } from '#sdk'
import type { HostPower } from '../../../capsule-host/broker/host-power.ts'
import { BARE_SESSION, openBrokerLab, type BrokerLab } from '../../support/capsule-broker.ts'
import { startSdkCapsule, type SdkCapsule } from '../../support/sdk-capsule.ts'

const NOTES = { command: 'localhost/*', resource: 'localhost://notes/*' }
const ROOM = { command: 'peer/*', resource: 'elastos://peer/room/lobby' }
const PROVIDER = { lineage: 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH/files', name: 'files' }

/** Files in memory, as a provider capsule written with the SDK serves them. */
function files(contents: Map<string, string>, seen: ServedRequest[] = []): Parameters<typeof serveFiles>[1] {
  const stat = (path: string): { type: 'file'; bytes: number; modifiedAtMs: number } => ({
    ...{ type: 'file', bytes: contents.get(path)?.length ?? 0, modifiedAtMs: 0 }
  })
  return {
    read: ({ path }, request) => {
      seen.push(request)
      const data = contents.get(path)
      if (data === undefined) throw new ProviderError('ERR_FILE_NOT_FOUND')
      return { data, isEnd: true }
    },
    write: async ({ path, data }) => {
      await Promise.resolve()
      contents.set(path, data)
      return {}
    },
    list: () => ({ entries: [...contents.keys()].map((name) => ({ name, ...stat(name) })), hasMore: false }),
    stat: ({ path }) => stat(path),
    delete: () => {
      throw new Error('a fault with a secret in it')
    },
    mkdir: () => ({})
  }
}

async function serveFiles(
  provider: SdkCapsule,
  handlers: Parameters<typeof provider.capsule.provide<LocalhostCommands>>[1]
): Promise<void> {
  await provider.capsule.provide<LocalhostCommands>('localhost', handlers)
}

describe('a capsule written with the SDK', () => {
  let lab: BrokerLab

  beforeEach(async () => {
    lab = await openBrokerLab()
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  const start = (init: Parameters<typeof startSdkCapsule>[1] = {}): SdkCapsule => startSdkCapsule(lab, init)

  it('may do nothing until it asked and somebody allowed it, then calls a provider capsule', async () => {
    const contents = new Map<string, string>()
    const seen: ServedRequest[] = []
    const provider = start({ ...PROVIDER, provides: ['localhost@1'] })
    await serveFiles(provider, files(contents, seen))
    lab.providers.set('localhost@1', provider.session.provider)
    const { capsule } = start()
    const path = 'notes/a.txt'
    await assert.rejects(capsule.call('localhost/read', { path }), { code: 'ERR_CAPABILITY_MISSING' })
    const held = await capsule.request({ ...NOTES, reason: 'to keep notes' })
    assert.equal(held.resource, NOTES.resource)
    assert.equal(lab.questions[0]?.reason, 'to keep notes')
    await assert.rejects(capsule.call('localhost/read', { path }), { code: 'ERR_FILE_NOT_FOUND' })
    await capsule.call('localhost/write', { path, data: 'aGVsbG8=' })
    assert.deepEqual(await capsule.call('localhost/read', { path }), { data: 'aGVsbG8=', isEnd: true })
    assert.equal(seen[1]?.caller.lineage, BARE_SESSION.lineage)
    assert.equal(seen[1]?.resource, 'localhost://notes/a.txt')
    assert.deepEqual(await capsule.capabilities(), [held])
  })

  it('learns of a fault of a provider that it failed, and nothing else of it', async () => {
    const errors: unknown[] = []
    const { error } = console
    console.error = (value: unknown) => void errors.push(value)
    try {
      const provider = start({ ...PROVIDER, provides: ['localhost@1'] })
      await serveFiles(provider, files(new Map()))
      lab.providers.set('localhost@1', provider.session.provider)
      const { capsule } = start()
      await capsule.request(NOTES)
      const call = capsule.call('localhost/delete', { path: 'notes/a' })
      await assert.rejects(call, { code: 'ERR_PROVIDER_FAILED', message: /^(?!.*secret)/ })
      assert.match(String(errors[0]), /secret/)
    } finally {
      console.error = error
    }
  })

  it('hears of a capability that is taken away, and is refused from then on', async () => {
    lab.providers.set('localhost@1', { call: async () => ({ data: '', isEnd: true }), open: noStream })
    const { capsule } = start()
    const revoked: unknown[] = []
    capsule.onRevoked((what) => revoked.push(what))
    const { token } = await capsule.request(NOTES)
    await capsule.call('localhost/read', { path: 'notes/a' })
    await lab.authority.revoke(token)
    await lab.clock.settle()
    assert.deepEqual(revoked, [{ token, code: 'ERR_TOKEN_REVOKED' }])
    await assert.rejects(capsule.call('localhost/read', { path: 'notes/a' }), { code: /^ERR_/ })
  })

  it('takes a stream as fast as it reads it, and lets go of it when it stops reading', async () => {
    let made = 0
    let isOver = false
    lab.providers.set('peer@1', {
      call: async () => ({}),
      open: async function* () {
        try {
          for (;;) yield { type: 'dropped', code: 'slow', count: ++made }
        } finally {
          isOver = true
        }
      }
    })
    const { capsule, isKeptAlive } = start({ ceiling: [ROOM] })
    await capsule.request(ROOM)
    const stream = await capsule.open('peer/subscribe', { room: 'lobby' })
    await lab.clock.settle()
    assert.ok(made < 100, `${made} items were made ahead`)
    const counts: unknown[] = []
    for await (const event of stream) {
      counts.push((event as { count: number }).count)
      if (counts.length === 200) break
    }
    assert.deepEqual(
      counts,
      Array.from({ length: 200 }, (_, index) => index + 1)
    )
    await lab.clock.settle()
    assert.equal(isOver, true)
    assert.equal(isKeptAlive(), false, 'nothing keeps it running when its stream is over')
  })

  it('serves a stream, and learns when nobody listens any more', async () => {
    const provider = start({ ...PROVIDER, provides: ['peer@1'] })
    let stopped: AbortSignal | undefined
    await provider.capsule.provide<Pick<PeerCommands, 'subscribe'>>('peer', {
      subscribe: async function* ({ room }, { signal }) {
        stopped = signal
        yield { type: 'notice', code: 'first', text: room }
        yield { type: 'notice', code: 'second', text: room }
        await new Promise(() => undefined)
      }
    })
    lab.providers.set('peer@1', provider.session.provider)
    const { capsule } = start({ ceiling: [ROOM] })
    await capsule.request(ROOM)
    const stream = await capsule.open('peer/subscribe', { room: 'lobby' })
    const codes: unknown[] = []
    for await (const event of stream) {
      codes.push((event as { code: string }).code)
      if (codes.length === 2) break
    }
    assert.deepEqual(codes, ['first', 'second'])
    await lab.clock.settle()
    await lab.clock.settle()
    assert.equal(stopped?.aborted, true)
    assert.equal(provider.failedWith(), undefined)
  })

  it('keeps more calls waiting than may be under way, and makes them all', async () => {
    lab.providers.set('localhost@1', { call: async () => ({ data: '', isEnd: true }), open: noStream })
    const { capsule } = start()
    await capsule.request(NOTES)
    const calls = Array.from({ length: 100 }, async (_, index) =>
      capsule.call('localhost/read', { path: `notes/${index}` })
    )
    assert.equal((await Promise.all(calls)).length, 100)
  })

  it('gives up a call when it no longer wants it', async () => {
    let signalOfCall: AbortSignal | undefined
    lab.providers.set('localhost@1', {
      call: async ({ signal }) => {
        signalOfCall = signal
        return await new Promise(() => undefined)
      },
      open: noStream
    })
    const { capsule, isKeptAlive } = start()
    await capsule.request(NOTES)
    const stop = new AbortController()
    const call = capsule.call('localhost/read', { path: 'notes/a' }, { signal: stop.signal })
    await lab.clock.settle()
    stop.abort(new Error('changed my mind'))
    await assert.rejects(call, /changed my mind/)
    assert.equal(signalOfCall?.aborted, true)
    assert.equal(isKeptAlive(), false)
  })

  it('refuses to send more than a line, and goes on', async () => {
    const { capsule, failedWith } = start()
    await capsule.request(NOTES)
    const data = 'x'.repeat(70_000)
    await assert.rejects(capsule.call('localhost/write', { path: 'notes/a', data }), {
      code: 'ERR_CHANNEL_PARAMS'
    })
    assert.equal((await capsule.capabilities()).length, 1)
    assert.equal(failedWith(), undefined)
  })

  it('uses a power for what it serves', async () => {
    const used: unknown[] = []
    const disk: HostPower = {
      contract: 'localhost@1',
      helps: {},
      provider: {
        call: async ({ command, params }) => {
          used.push([command, params])
          return { data: 'eA==', isEnd: true }
        },
        open: noStream
      }
    }
    await using other = await openBrokerLab({ powers: new Map([['disk', disk]]) })
    const provider = startSdkCapsule(other, { ...PROVIDER, provides: ['localhost@1'], powers: ['disk'] })
    await serveFiles(provider, {
      ...files(new Map()),
      read: async ({ path }, request) =>
        (await request.power('disk/read', { path })) as { data: string; isEnd: boolean }
    })
    other.providers.set('localhost@1', provider.session.provider)
    const { capsule } = startSdkCapsule(other)
    await capsule.request(NOTES)
    assert.deepEqual(await capsule.call('localhost/read', { path: 'notes/a' }), { data: 'eA==', isEnd: true })
    assert.deepEqual(used, [['localhost/read', { path: 'notes/a' }]])
    await assert.rejects(capsule.power('disk/read', {}), { code: 'ERR_POWER_NONE' })
  })

  it('is told that it shall stop, and a provider then has nothing that keeps it running', async () => {
    const provider = start({ ...PROVIDER, provides: ['localhost@1'] })
    await serveFiles(provider, files(new Map()))
    assert.equal(provider.isKeptAlive(), true)
    const { stopping } = provider.capsule
    provider.session.stop(1000)
    await lab.clock.settle()
    assert.equal(stopping.aborted, true)
    assert.equal(provider.isKeptAlive(), false)
  })

  it('fails what is under way when its channel ends', async () => {
    lab.providers.set('localhost@1', { call: async () => await new Promise(() => undefined), open: noStream })
    const { capsule, hangUp } = start()
    await capsule.request(NOTES)
    const call = capsule.call('localhost/read', { path: 'notes/a' })
    const failed = assert.rejects(call, { code: 'ERR_SESSION_ENDED' })
    await lab.clock.settle()
    hangUp()
    await failed
    await assert.rejects(capsule.capabilities(), { code: 'ERR_SESSION_ENDED' })
  })

  it('fails a stream when its channel ends, and is not kept running by it', async () => {
    lab.providers.set('peer@1', {
      call: async () => ({}),
      open: async function* () {
        yield { type: 'notice', code: 'first', text: '' }
        await new Promise(() => undefined)
      }
    })
    const { capsule, hangUp, isKeptAlive } = start({ ceiling: [ROOM] })
    await capsule.request(ROOM)
    const stream = await capsule.open('peer/subscribe', { room: 'lobby' })
    const codes: string[] = []
    const reading = (async () => {
      for await (const event of stream) {
        codes.push((event as { code: string }).code)
        hangUp()
      }
    })()
    await assert.rejects(reading, { code: 'ERR_SESSION_ENDED' })
    assert.deepEqual(codes, ['first'])
    assert.equal(stream.closed.aborted, true)
    assert.equal(isKeptAlive(), false)
  })

  it('reads lines of its input however they are cut', async () => {
    const { capsule } = start({ stdin: ['a\nb', 'c\n\nd', '\u00e9'] })
    const lines: string[] = []
    for await (const line of capsule.lines()) lines.push(line)
    assert.deepEqual(lines, ['a', 'bc', '', 'dé'])
  })

  it('says who it is, as the host says', async () => {
    const { capsule } = start()
    const { lineage, name } = await capsule.identity()
    assert.deepEqual({ lineage, name }, { lineage: BARE_SESSION.lineage, name: 'notes' })
  })
})

async function* noStream(): AsyncGenerator<never> {
  // Nothing comes.
}
