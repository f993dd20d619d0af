import assert from 'node:assert/strict'
import { openBrokerLab, type BrokerLab } from '../../../support/capsule-broker.ts'

const READ = { command: 'localhost/read', resource: 'localhost://a.txt' }

describe('a capsule that asks', () => {
  let lab: BrokerLab

  beforeEach(async () => {
    lab = await openBrokerLab()
  })
  afterEach(async () => {
    await lab[Symbol.asyncDispose]()
  })

  it('gets no more than the manifest says, whatever the shell would say', async () => {
    const capsule = await lab.start({
      ceiling: [{ command: 'localhost/read', resource: 'localhost://notes/*' }]
    })
    for (const asked of [
      { command: 'localhost/write', resource: 'localhost://notes/a' },
      { command: 'localhost/read', resource: 'localhost://secrets' },
      { command: 'localhost/*', resource: 'localhost://notes/*' },
      { command: 'localhost/read', resource: 'localhost://*' },
      { command: 'shell/decide', resource: 'elastos://shell/question' }
    ]) {
      await assert.rejects(capsule.request('capability.request', asked), { code: 'ERR_CAPABILITY_CEILING' })
    }
    assert.deepEqual(lab.questions, [])
    await assert.rejects(
      capsule.request('capability.request', {
        command: 'localhost/read',
        resource: 'localhost://notes/../x'
      }),
      { code: 'ERR_CHANNEL_PARAMS' }
    )
  })

  it('gets nothing when the shell answers with more than was asked for', async () => {
    lab.decide = async () => ({
      ...{ isAllowed: true, scope: 'always', decidedBy: 'auto' },
      resource: 'localhost://*'
    })
    const capsule = await lab.start()
    await assert.rejects(capsule.request('capability.request', READ), { code: 'ERR_CAPABILITY_DENIED' })
    assert.deepEqual(lab.authority.list(), [])
  })

  it('may be given less than it asked for', async () => {
    lab.decide = async () => ({
      ...{ isAllowed: true, scope: 'session', decidedBy: 'person' },
      resource: 'localhost://notes/a.txt'
    })
    const capsule = await lab.start()
    const held = await capsule.request('capability.request', {
      command: 'localhost/read',
      resource: 'localhost://*'
    })
    assert.equal(held['resource'], 'localhost://notes/a.txt')
  })

  it('asks one question at a time, however many runs of it there are', async () => {
    const decided = Promise.withResolvers<void>()
    lab.decide = async () => {
      await decided.promise
      return { isAllowed: true, scope: 'session', decidedBy: 'person' }
    }
    const first = await lab.start()
    const second = await lab.start()
    const asking = first.request('capability.request', READ)
    await assert.rejects(second.request('capability.request', READ), { code: 'ERR_CAPABILITY_PENDING' })
    decided.resolve()
    await asking
    assert.equal(lab.questions.length, 1)
  })

  it('is told when nobody answers, and has to wait before it asks again', async () => {
    lab.decide = async () => await new Promise(() => undefined)
    const capsule = await lab.start()
    const asking = assert.rejects(capsule.request('capability.request', READ), {
      code: 'ERR_CAPABILITY_UNANSWERED'
    })
    await lab.clock.advance(120_000)
    await asking
    await assert.rejects(capsule.request('capability.request', READ), { code: 'ERR_CAPABILITY_UNANSWERED' })
    assert.equal(lab.questions.length, 1)
    await lab.clock.advance(30_000)
    lab.decide = async () => ({ isAllowed: true, scope: 'session', decidedBy: 'person' })
    await capsule.request('capability.request', READ)
  })

  it('is not asked about twice: neither yes nor no', async () => {
    const capsule = await lab.start()
    const one = await capsule.request('capability.request', READ)
    const two = await capsule.request('capability.request', READ)
    assert.equal(one['token'], two['token'])
    lab.decide = async () => ({ isAllowed: false, isDurable: true, decidedBy: 'person' })
    const other = { command: 'localhost/write', resource: 'localhost://a.txt' }
    await assert.rejects(capsule.request('capability.request', other), { code: 'ERR_CAPABILITY_DENIED' })
    const later = await lab.start()
    await assert.rejects(later.request('capability.request', other), { code: 'ERR_CAPABILITY_DENIED' })
    assert.equal(lab.questions.length, 2)
  })

  it('is asked about no more in this session after a deny all', async () => {
    lab.decide = async () => ({ isAllowed: false, isDurable: false, isAll: true, decidedBy: 'person' })
    const capsule = await lab.start()
    await assert.rejects(capsule.request('capability.request', READ), { code: 'ERR_CAPABILITY_DENIED' })
    const other = { command: 'localhost/stat', resource: 'localhost://b' }
    await assert.rejects(capsule.request('capability.request', other), { code: 'ERR_CAPABILITY_DENIED' })
    assert.equal(lab.questions.length, 1)
  })

  it('cannot wear its user out: not by less of the same, nor by many questions', async () => {
    lab.decide = async () => ({ isAllowed: false, isDurable: false, decidedBy: 'person' })
    const capsule = await lab.start()
    const ask = async (resource: string): Promise<void> => {
      await assert.rejects(capsule.request('capability.request', { command: 'localhost/read', resource }), {
        code: 'ERR_CAPABILITY_DENIED'
      })
    }
    await ask('localhost://a/*')
    await ask('localhost://a/b')
    assert.equal(lab.questions.length, 1)
    for (let turn = 0; turn < 100; turn++) await ask(`localhost://b${turn}`)
    assert.equal(lab.questions.length, 16)
  })

  it('lets its user pick one resource, and only one', async () => {
    const ask = { command: 'localhost/read', resource: 'localhost://*', pick: 'file' }
    const capsule = await lab.start()
    await assert.rejects(capsule.request('capability.request', ask), { code: 'ERR_CAPABILITY_DENIED' })
    lab.decide = async () => ({
      ...{ isAllowed: true, scope: 'session', decidedBy: 'person' },
      resource: 'localhost://holiday.jpg'
    })
    const other = await lab.start()
    const held = await other.request('capability.request', ask)
    assert.equal(held['resource'], 'localhost://holiday.jpg')
  })
})
