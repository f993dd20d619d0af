import assert from 'node:assert/strict'
import type { Lifecycle } from '#capsule-host'
import { createDevice, LINEAGE, PowerCut, PUBLISHER, type Device } from '../../../support/lifecycle-parts.ts'

const { signal } = new AbortController()
const READ = { command: 'localhost/read', resource: 'localhost://notes/*', reason: 'To show your notes.' }
const WRITE = { command: 'localhost/write', resource: 'localhost://notes/a', reason: 'To keep them.' }
const OTHER = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'

describe('installing a capsule', () => {
  it('shows all it may ever ask for, and changes nothing before it is accepted', async () => {
    const device = createDevice()
    const cid = device.publish('1.0.0', [READ])
    const lifecycle = await device.open()
    const plan = await lifecycle.plan(LINEAGE, { signal })
    assert.equal(plan.kind, 'install')
    assert.deepEqual(plan.ceiling.capabilities, [READ])
    assert.deepEqual(plan.added.capabilities, [READ])
    assert.deepEqual(lifecycle.list(), [])
    await lifecycle.install(plan.capsule.cid, { signal })
    assert(device.kept.has(cid))
    const reopened = await device.open()
    for (const name of ['notes', LINEAGE, cid]) assert.equal(reopened.find(name).current, cid)
  })

  it('never gives a name that is taken to the capsule of somebody else', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    await lifecycle.install(device.publish('1.0.0'), { signal })
    const foreign = device.publish('1.0.0', [], OTHER)
    const plan = await lifecycle.plan(foreign, { signal })
    assert.equal(plan.aliasTakenBy, LINEAGE)
    await assert.rejects(lifecycle.install(foreign, { signal }), { code: 'ERR_CAPSULE_NAME_TAKEN' })
    await lifecycle.install(foreign, { signal, alias: 'other-notes' })
    assert.equal(lifecycle.find('notes').publisher, PUBLISHER)
    assert.equal(lifecycle.find('other-notes').publisher, OTHER)
  })

  it('refuses a name that a terminal or a path would act on', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    const cid = device.publish('1.0.0')
    for (const alias of ['../x', 'a b', '', 'A'])
      await assert.rejects(lifecycle.install(cid, { signal, alias }), { code: 'ERR_CAPSULE_NAME_TAKEN' })
  })
})

describe('updating a capsule', () => {
  it('shows only what no line of the old ceiling covers', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    await lifecycle.install(device.publish('1.0.0', [READ]), { signal })
    const inside = { ...READ, resource: 'localhost://notes/a', reason: 'Another reason.' }
    device.publish('1.1.0', [inside, WRITE])
    const plan = await lifecycle.plan(LINEAGE, { signal })
    assert.equal(plan.kind, 'update')
    assert.equal(plan.from, '1.0.0')
    assert.deepEqual(plan.added.capabilities, [WRITE])
    assert.equal(plan.isOlder, false)
  })

  it('says when the publisher went back to something older', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    await lifecycle.install(device.publish('1.10.0'), { signal })
    device.publish('1.9.0')
    assert.equal((await lifecycle.plan(LINEAGE, { signal })).isOlder, true)
  })

  it('keeps the state, ends what runs, and keeps at most five versions', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    const first = device.publish('1.0.0')
    await lifecycle.install(first, { signal })
    device.state = 'mine'
    const run = device.running.enter(
      { lineage: LINEAGE, name: 'notes', version: '1.0.0', cid: first, isDetached: true },
      signal
    )
    run.signal.addEventListener('abort', () => run[Symbol.dispose]())
    const { stopped } = await lifecycle.install(device.publish('1.1.0'), { signal })
    assert.equal(stopped, 1)
    assert.equal(device.state, 'mine')
    for (const minor of [2, 3, 4, 5]) await lifecycle.install(device.publish(`1.${minor}.0`), { signal })
    assert.equal(lifecycle.find('notes').versions.length, 5)
    assert(!device.kept.has(first))
    assert.equal(device.snapshots.size, 4)
  })

  it('says so when the new version is the one to be found, and not before', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    await lifecycle.install(device.publish('1.0.0'), { signal })
    const second = device.publish('2.0.0')
    device.changed.length = 0
    await lifecycle.install(second, { signal })
    assert.equal(device.changed.at(-1), LINEAGE)
    assert.equal(lifecycle.find('notes').current, second)
  })
})

describe('installing over what ships', () => {
  it('remembers the state as it was, and brings it back together with what ships', async () => {
    const device = createDevice()
    const cid = device.publish('1.0.0')
    device.shipped = { cid, version: '1.0.0' }
    const lifecycle = await device.open()
    device.state = 'of what ships'
    await lifecycle.install(device.publish('1.1.0'), { signal })
    device.state = 'of the update'
    const { capsule, isStateRestored } = await lifecycle.rollback('notes', {})
    assert.equal(capsule.current, cid)
    assert(isStateRestored)
    assert.equal(device.state, 'of what ships')
    await lifecycle.rollback('notes', { version: '1.1.0' })
    assert.equal(device.state, 'of the update')
  })

  it('is not gone back to when a later release runs something later in its place', async () => {
    const device = createDevice()
    device.shipped = { cid: device.publish('1.0.0'), version: '1.0.0' }
    const lifecycle = await device.open()
    for (const version of ['1.1.0', '1.2.0']) await lifecycle.install(device.publish(version), { signal })
    device.shipped = { cid: device.publish('2.0.0'), version: '2.0.0' }
    device.state = 'of the later release'
    for (const options of [{}, { version: '1.0.0' }]) {
      await assert.rejects(lifecycle.rollback('notes', options), { code: 'ERR_CAPSULE_NO_VERSION' })
    }
    assert.equal(device.state, 'of the later release')
    assert.equal(lifecycle.find('notes').versions[0]?.version, '1.2.0')
  })

  it('of the very version that ships remembers nothing', async () => {
    const device = createDevice()
    const cid = device.publish('1.0.0')
    device.shipped = { cid, version: '1.0.0' }
    const lifecycle = await device.open()
    await lifecycle.install(cid, { signal })
    assert.equal(device.snapshots.size, 0)
    await assert.rejects(lifecycle.rollback('notes', {}), { code: 'ERR_CAPSULE_NO_VERSION' })
  })
})

describe('a change of version that was cut short', () => {
  const update = async (device: Device, lifecycle: Lifecycle): Promise<unknown> =>
    await lifecycle.install(device.publish('3.0.0'), { signal })
  const back = async (_device: Device, lifecycle: Lifecycle): Promise<unknown> =>
    await lifecycle.rollback('notes', {})
  const remove = async (_device: Device, lifecycle: Lifecycle): Promise<unknown> =>
    await lifecycle.remove('notes', { data: false })
  for (const [what, change] of Object.entries({ update, back, remove })) {
    it(`leaves no remembered state that no version names, nor a name without one: ${what}`, async () => {
      for (let steps = 0; ; steps++) {
        const device = createDevice()
        const lifecycle = await device.open()
        await lifecycle.install(device.publish('1.0.0'), { signal })
        await lifecycle.install(device.publish('2.0.0'), { signal })
        device.stepsLeft = steps
        await change(device, lifecycle).catch(() => undefined)
        const isWhole = (device.stepsLeft ?? 0) > 0
        device.stepsLeft = undefined
        const after = (await device.open()).lookup('notes')
        const named = (after?.versions ?? []).flatMap(({ snapshot = [] }) => snapshot)
        assert.deepEqual(
          [...device.snapshots.keys()].toSorted(),
          named.toSorted(),
          `cut after ${steps} steps`
        )
        assert.equal(after?.isUnswept, undefined)
        if (isWhole) break
      }
    })
  }
})

describe('rolling a capsule back', () => {
  it('brings code and state back together, and forward again', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    const first = device.publish('1.0.0')
    await lifecycle.install(first, { signal })
    device.state = 'old'
    await lifecycle.install(device.publish('2.0.0'), { signal })
    device.state = 'new'
    const back = await lifecycle.rollback('notes', {})
    assert.deepEqual([back.capsule.current, back.isStateRestored, device.state], [first, true, 'old'])
    await lifecycle.rollback('notes', { version: '2.0.0' })
    assert.equal(device.state, 'new')
    await assert.rejects(lifecycle.rollback('notes', { version: '3.0.0' }), {
      code: 'ERR_CAPSULE_NO_VERSION'
    })
  })

  it('is all or nothing wherever the power is cut', async () => {
    let cuts = 0
    for (let steps = 0; ; steps++) {
      const device = createDevice()
      const lifecycle = await device.open()
      await lifecycle.install(device.publish('1.0.0'), { signal })
      device.state = 'old'
      await lifecycle.install(device.publish('2.0.0'), { signal })
      device.state = 'new'
      device.stepsLeft = steps
      const cut = await lifecycle.rollback('notes', {}).then(
        () => false,
        (thrown: unknown) => thrown instanceof PowerCut
      )
      device.stepsLeft = undefined
      const { current } = (await device.open()).find('notes')
      const expected = current.endsWith('1.0.0') ? 'old' : 'new'
      assert.equal(device.state, expected, `power cut after ${steps} steps`)
      if (!cut) break
      cuts++
    }
    assert(cuts >= 4)
  })
})

describe('removing a capsule', () => {
  it('ends its grants, and keeps its state for when it comes back', async () => {
    const device = createDevice()
    const lifecycle = await device.open()
    const cid = device.publish('1.0.0')
    await lifecycle.install(cid, { signal })
    device.state = 'mine'
    await lifecycle.remove('notes', { data: false })
    assert.deepEqual(device.revoked, [LINEAGE])
    assert.equal(device.state, 'mine')
    assert(!device.kept.has(cid))
    assert.throws(() => lifecycle.find('notes'), { code: 'ERR_CAPSULE_NOT_INSTALLED' })
    await lifecycle.install(cid, { signal })
    await lifecycle.remove('notes', { data: true })
    assert.equal(device.state, undefined)
  })

  it('leaves nothing that may act wherever the power is cut', async () => {
    for (let steps = 0; steps < 6; steps++) {
      const device = createDevice()
      const lifecycle = await device.open()
      await lifecycle.install(device.publish('1.0.0'), { signal })
      device.stepsLeft = steps
      await lifecycle.remove('notes', { data: true }).catch(() => undefined)
      device.stepsLeft = undefined
      const after = await device.open()
      if (after.lookup('notes') === undefined) assert(device.revoked.includes(LINEAGE))
    }
  })
})
