import assert from 'node:assert/strict'
import { encodeVmFrame, VM_FRAME } from '#vmm'
import { VM_CONTROL_MS_MAX, VM_REHEARSAL_MS_MAX, VM_WARM_AGAIN_MS } from '../../../vmm/constants.ts'
import { handedOver, lastMove, openLab } from './machine-pool-lab.ts'

describe('a machine that waits', () => {
  it('lets one that waits rehearse the start of a program, and takes the disk of that from it', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    assert.deepEqual(
      lab.host.machines.map(({ rehearsals }) => rehearsals),
      [0, 0, 2],
      'with pipes and with a terminal; one that is wanted at once does not'
    )
    const told = lab.host.machines[2]?.told.slice(3)
    assert.deepEqual(told, [
      'blockdev-add',
      'blockdev-reopen',
      'cont',
      'stop',
      'blockdev-reopen',
      'blockdev-del'
    ])
    assert.deepEqual(await handedOver(lab), [])
  })

  it('lets none rehearse of a guest of before that, also when the template was kept', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'not'
    await lab.run(lab.openPool())
    await using another = lab.openPool()
    await lab.run(another)
    assert.equal(another.warmCount, 1)
    assert.ok(lab.host.machines.every(({ rehearsals }) => rehearsals === 0))
  })

  it('has one that waits without a rehearsal after two that went wrong, and keeps the template', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'badly'
    const pool = lab.openPool()
    for (let count = 0; count < 2; count += 1) {
      await lab.run(pool)
      assert.equal(pool.warmCount, 0)
      assert.equal(lab.host.machines.at(-1)?.hasEnded, true)
    }
    assert.deepEqual(lab.warnings, ['no machine waits', 'no machine waits'])
    lab.roles()
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    assert.equal(lab.warnings.length, 2)
  })

  it('gives up a rehearsal that does not end', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'without end'
    const pool = lab.openPool()
    let isDone = false
    const running = lab.run(pool).then(() => (isDone = true))
    while (lastMove(lab.host.machines[2]) !== 'cont') await new Promise((resolve) => setImmediate(resolve))
    await lab.clock.advance(VM_REHEARSAL_MS_MAX / 2)
    assert.equal(isDone, false)
    await lab.clock.advance(VM_REHEARSAL_MS_MAX)
    await running
    assert.equal(pool.warmCount, 0)
    assert.equal(lab.host.machines[2]?.hasEnded, true)
  })

  it('has none wait whose guest speaks out of its turn', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    lab.host.machines[2]?.write(encodeVmFrame(VM_FRAME.running, 0))
    while (pool.warmCount > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(lab.host.machines[2]?.hasEnded, true)
  })

  it('lets the next one rehearse after one that went wrong', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'badly'
    const pool = lab.openPool()
    await lab.run(pool)
    lab.host.rehearsing = 'well'
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    assert.equal(lab.host.machines.at(-1)?.rehearsals, 2)
  })

  it('ends with its node while it rehearses', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'without end'
    const pool = lab.openPool()
    let conts = 0
    let ended: PromiseLike<void> | undefined
    lab.host.onTold = (command) => {
      if (command === 'cont' && ++conts === 2) ended = pool[Symbol.asyncDispose]()
    }
    await lab.run(pool)
    await ended
    assert.equal(pool.warmCount, 0)
    assert.equal(lab.host.machines.at(-1)?.hasEnded, true)
    assert.deepEqual(lab.warnings, [])
  })

  it('ends with its node while it is restored', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    let moves = 0
    let hadEnded: Promise<boolean | undefined> | undefined
    const dispose = async (): Promise<boolean | undefined> => {
      await pool[Symbol.asyncDispose]()
      return lab.host.machines[2]?.hasEnded
    }
    lab.host.onTold = (command) => {
      if (command !== 'migrate-incoming' || ++moves !== 2) return
      lab.host.unanswered.add(command)
      hadEnded = dispose()
    }
    const running = lab.run(pool)
    while (hadEnded === undefined) await new Promise((resolve) => setImmediate(resolve))
    await lab.clock.advance(VM_CONTROL_MS_MAX)
    assert.equal(await hadEnded, true)
    await running
    assert.equal(pool.warmCount, 0)
    assert.deepEqual(lab.warnings, [])
  })
})
