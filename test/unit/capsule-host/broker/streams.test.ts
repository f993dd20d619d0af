import assert from 'node:assert/strict'
import type { Provider } from '../../../../capsule-host/broker/provider.ts'
import {
  BARE_SESSION,
  openBrokerLab,
  type BrokerLab,
  type FakeCapsule
} from '../../../support/capsule-broker.ts'

const ROOM = { command: 'peer/subscribe', params: { room: 'lobby' } }
const CEILING = { ceiling: [{ command: 'peer/*', resource: 'elastos://peer/*' }] }
const dropped = (count: number): object => ({ type: 'dropped', code: 'slow', count })

/** A provider that makes as many items as are asked for, and counts them. */
function counter(): Provider & { made: number; isOver: boolean } {
  const provider = {
    made: 0,
    isOver: false,
    call: async () => ({}),
    open: async function* () {
      try {
        for (;;) yield dropped(++provider.made)
      } finally {
        provider.isOver = true
      }
    }
  }
  return provider
}

describe('a stream of a capsule', () => {
  let lab: BrokerLab
  let capsule: FakeCapsule

  const items = (): unknown[] =>
    capsule.told('stream.next').map(({ item }) => (item as { count: number }).count)

  beforeEach(async () => {
    lab = await openBrokerLab()
    capsule = await lab.start(CEILING)
    await capsule.request('capability.request', { command: 'peer/*', resource: 'elastos://peer/room/lobby' })
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  it('brings as many items as it allowed, and makes no more', async () => {
    const provider = counter()
    lab.providers.set('peer@1', provider)
    const { stream } = await capsule.request('provider.open', { ...ROOM, credit: 2 })
    await lab.clock.settle()
    assert.deepEqual(items(), [1, 2])
    assert.equal(provider.made, 2)
    capsule.notify('stream.credit', { stream, credit: 3 })
    await lab.clock.settle()
    assert.deepEqual(items(), [1, 2, 3, 4, 5])
    capsule.notify('stream.credit', { stream, credit: 1000 })
    await lab.clock.settle()
    assert.equal(provider.made, 5)
  })

  it('never has more credit than the bound, however often it gives some', async () => {
    const provider = counter()
    const gate = Promise.withResolvers<void>()
    lab.providers.set('peer@1', {
      ...provider,
      open: async function* (request, input) {
        await gate.promise
        yield* provider.open(request, input)
      }
    })
    const { stream } = await capsule.request('provider.open', { ...ROOM, credit: 16 })
    for (let turn = 0; turn < 100; turn++) capsule.notify('stream.credit', { stream, credit: 16 })
    gate.resolve()
    await lab.clock.settle()
    await lab.clock.settle()
    assert(provider.made <= 16, String(provider.made))
  })

  it('ends when the capsule wants no more, and the provider lets go', async () => {
    const provider = counter()
    lab.providers.set('peer@1', provider)
    const { stream } = await capsule.request('provider.open', { ...ROOM, credit: 1 })
    await lab.clock.settle()
    capsule.notify('stream.close', { stream })
    await lab.clock.settle()
    assert(provider.isOver)
    capsule.notify('stream.credit', { stream, credit: 1 })
    await lab.clock.settle()
    assert.deepEqual(items(), [1])
  })

  it('ends with the capsule', async () => {
    const provider = counter()
    lab.providers.set('peer@1', provider)
    await capsule.request('provider.open', { ...ROOM, credit: 1 })
    await lab.clock.settle()
    capsule.close()
    await lab.clock.settle()
    assert(provider.isOver)
  })

  it('ends with its token: when that is revoked, and when it runs out', async () => {
    lab.providers.set('peer@1', counter())
    const first = await capsule.request('provider.open', { ...ROOM, credit: 1 })
    await lab.clock.settle()
    await lab.authority.revokeLineage(BARE_SESSION.lineage)
    await lab.clock.settle()
    assert.deepEqual(capsule.told('stream.end'), [{ stream: first['stream'], code: 'ERR_TOKEN_REVOKED' }])
    lab.decide = async () => ({ isAllowed: true, scope: 'day', decidedBy: 'person' })
    await capsule.request('capability.request', { command: 'peer/*', resource: 'elastos://peer/*' })
    const second = await capsule.request('provider.open', { ...ROOM, credit: 1 })
    await lab.clock.settle()
    await lab.clock.advance(86_400_000)
    capsule.notify('stream.credit', { stream: second['stream'], credit: 1 })
    await lab.clock.settle()
    assert.deepEqual(items(), [1, 2])
    assert.deepEqual(capsule.told('stream.end')[1], { stream: second['stream'], code: 'ERR_TOKEN_EXPIRED' })
  })

  it('ends with a code of the contract, or none that tells anything', async () => {
    for (const [code, told] of [
      ['ERR_ROOM_CLOSED', 'ERR_ROOM_CLOSED'],
      ['EPERM', 'ERR_PROVIDER_FAILED']
    ]) {
      lab.providers.set('peer@1', {
        ...counter(),
        open: async function* () {
          yield dropped(1)
          throw Object.assign(new Error('secret'), { code })
        }
      })
      const { stream } = await capsule.request('provider.open', { ...ROOM, credit: 4 })
      await lab.clock.settle()
      assert.deepEqual(capsule.told('stream.end').at(-1), { stream, code: told })
    }
    lab.providers.set('peer@1', {
      ...counter(),
      open: async function* () {
        yield { type: 'nonsense' }
      }
    })
    await capsule.request('provider.open', { ...ROOM, credit: 4 })
    await lab.clock.settle()
    assert.equal(capsule.told('stream.end').at(-1)?.['code'], 'ERR_PROVIDER_ANSWER')
  })

  it('is one of as many as it may have open', async () => {
    lab.providers.set('peer@1', counter())
    for (let turn = 0; turn < 16; turn++) await capsule.request('provider.open', ROOM)
    await assert.rejects(capsule.request('provider.open', ROOM), { code: 'ERR_CHANNEL_BUSY' })
    capsule.notify('stream.close', { stream: 3 })
    await capsule.request('provider.open', ROOM)
  })

  it('takes nothing of a capsule where the command takes nothing', async () => {
    lab.providers.set('peer@1', counter())
    const { stream, credit } = await capsule.request('provider.open', ROOM)
    assert.equal(credit, 0)
    capsule.notify('stream.next', { stream, item: 1 })
    await lab.clock.settle()
    capsule.notify('stream.credit', { stream, credit: 1 })
    await lab.clock.settle()
    assert.deepEqual(items(), [1])
  })
})
