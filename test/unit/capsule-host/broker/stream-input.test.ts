import assert from 'node:assert/strict'
import * as z from 'zod'
import { findCommand } from '#providers'
import {
  BARE_SESSION,
  openBrokerLab,
  type BrokerLab,
  type FakeCapsule
} from '../../../support/capsule-broker.ts'

const OPEN = { command: 'peer/subscribe', params: { room: 'lobby' }, credit: 16 }
const SESSION = { ...BARE_SESSION, ceiling: [{ command: 'peer/*', resource: 'elastos://peer/*' }] }

/** No contract of today takes items, so one is lent an input while these tests run. */
const command = findCommand('peer/subscribe')?.command as { input?: z.ZodType }

describe('a stream that takes items of its caller', () => {
  let lab: BrokerLab
  let capsule: FakeCapsule
  let taken: unknown[]

  beforeEach(async () => {
    command.input = z.int()
    taken = []
    lab = await openBrokerLab()
    capsule = await lab.start(SESSION)
    await capsule.request('capability.request', { command: 'peer/*', resource: 'elastos://peer/*' })
  })
  afterEach(async () => {
    delete command.input
    await lab[Symbol.asyncDispose]()
  })

  const send = (stream: unknown, items: readonly unknown[]): void => {
    for (const item of items) capsule.notify('stream.next', { stream, item })
  }

  it('hands them to a provider as it reads them, and allows as many more', async () => {
    const gate = Promise.withResolvers<void>()
    lab.providers.set('peer@1', {
      call: async () => ({}),
      open: async function* (_request, input) {
        await gate.promise
        for await (const item of input) taken.push(item)
        yield { type: 'dropped', code: 'total', count: taken.length }
      }
    })
    const { stream, credit } = await capsule.request('provider.open', OPEN)
    assert.equal(credit, 4)
    send(stream, [1, 2, 3, 4])
    await lab.clock.settle()
    assert.deepEqual(capsule.told('stream.credit'), [])
    gate.resolve()
    await lab.clock.settle()
    const allowed = capsule.told('stream.credit').reduce((sum, told) => sum + Number(told['credit']), 0)
    assert.equal(allowed, 4)
    send(stream, [5, 6])
    capsule.notify('stream.end', { stream })
    await lab.clock.settle()
    assert.deepEqual(taken, [1, 2, 3, 4, 5, 6])
    assert.deepEqual(capsule.told('stream.next'), [
      { stream, item: { type: 'dropped', code: 'total', count: 6 } }
    ])
  })

  it('ends when more comes than was allowed, or something else', async () => {
    lab.providers.set('peer@1', {
      call: async () => ({}),
      open: async function* (_request, input) {
        for await (const item of input) taken.push(item)
        yield* []
      }
    })
    const second = await capsule.request('provider.open', OPEN)
    send(second['stream'], ['text'])
    await lab.clock.settle()
    assert.deepEqual(capsule.told('stream.end'), [{ stream: second['stream'], code: 'ERR_CHANNEL_PARAMS' }])
    lab.providers.set('peer@1', {
      call: async () => ({}),
      open: async function* () {
        await new Promise(() => undefined)
        yield 0
      }
    })
    const first = await capsule.request('provider.open', OPEN)
    send(first['stream'], [1, 2, 3, 4, 5])
    await lab.clock.settle()
    assert.equal(capsule.told('stream.end')[1]?.['code'], 'ERR_STREAM_CREDIT')
    assert.deepEqual(taken, [])
  })

  it('hands them to a provider that is a capsule, as far as that allows', async () => {
    const provider = await lab.start({
      ...BARE_SESSION,
      id: 'p',
      lineage: 'dev:1/p',
      name: 'p',
      provides: ['peer@1']
    })
    lab.providers.set('peer@1', provider.session.provider)
    provider.onRequest = async () => ({ credit: 2 })
    const { stream } = await capsule.request('provider.open', OPEN)
    send(stream, [1, 2, 3])
    await lab.clock.settle()
    const got = (): unknown[] => provider.told('stream.next').map(({ item }) => item)
    assert.deepEqual(got(), [1, 2])
    provider.notify('stream.credit', { stream: 1, credit: 5 })
    capsule.notify('stream.end', { stream })
    await lab.clock.settle()
    assert.deepEqual(got(), [1, 2, 3])
    assert.deepEqual(provider.told('stream.end'), [{ stream: 1 }])
  })
})
