import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine, MachineInit, MachinePool } from '#vmm'
import { VM_SPARE_AFTER_MS, VM_WARM_MS_MAX } from '../../../vmm/constants.ts'
import type { FakeMachine } from './fake-host.ts'
import { openLab, templateFile, type Lab } from './machine-pool-lab.ts'

/** What one that waits was told: nothing of a machine. */
const READIED = ['qmp_capabilities', 'migrate-set-capabilities', 'query-status']

async function withImage(lab: Lab): Promise<Partial<MachineInit>> {
  const path = join(lab.folder, 'an image')
  await writeFile(path, 'an image')
  const hash = createHash('sha256').update('an image').digest('hex')
  return { disks: [{ path, isReadOnly: true, hash }] }
}

/** Starts one, and waits for what is started behind it. */
async function runAndWait(lab: Lab, pool: MachinePool, change?: Partial<MachineInit>): Promise<Machine> {
  const machine = await lab.run(pool, change)
  await lab.clock.advance(VM_SPARE_AFTER_MS)
  await pool.settled()
  return machine
}

function last(lab: Lab): FakeMachine {
  const machine = lab.host.machines.at(-1)
  assert.ok(machine)
  return machine
}

describe('a monitor that waits', () => {
  it('is started behind a machine that runs, with nothing restored in it, and the next machine is restored there', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['become', 'start'])
    assert.equal(pool.spareCount, 0, 'not beside the start of the program')
    await lab.clock.advance(VM_SPARE_AFTER_MS)
    await pool.settled()
    assert.deepEqual(lab.roles(), ['start'])
    assert.equal(pool.spareCount, 1)
    const waiting = last(lab)
    assert.deepEqual(waiting.told, READIED)
    const machine = await lab.run(pool)
    assert.deepEqual(lab.roles(), [])
    assert.equal(machine.pid, 10_002)
    assert.deepEqual(waiting.told.slice(READIED.length), [
      'migrate-incoming',
      'blockdev-add',
      'blockdev-reopen',
      'cont'
    ])
    assert.equal(pool.spareCount, 0)
    await lab.clock.advance(VM_SPARE_AFTER_MS)
    await pool.settled()
    assert.deepEqual(lab.roles(), ['start'], 'another is behind it')
    assert.deepEqual(lab.warnings, [])
  })

  it('is of the template of the image once there is one, also beside a machine that waits for any image', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    const image = await withImage(lab)
    await runAndWait(lab, pool, image)
    assert.equal(pool.spareCount, 0, 'a machine of the kind waits')
    await runAndWait(lab, pool, image)
    assert.equal(pool.warmCount, 2)
    assert.equal(pool.spareCount, 1)
    const waiting = last(lab)
    assert.ok(lab.host.machines.filter(({ memory }) => memory === waiting.memory).length === 1)
    lab.roles()
    const [, , third] = await Promise.all([1, 2, 3].map(async () => await lab.run(pool, image)))
    assert.ok(third)
    assert.ok(waiting.told.includes('cont'), 'the third of three has it')
    assert.deepEqual(lab.warnings, [])
  })

  it('is one in all, of the kind that was last asked for', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    for (const cpuSecondsMax of [1, 2, 3]) {
      await runAndWait(lab, pool, { limits: { memoryMib: 96, cpuSecondsMax } })
      assert.equal(pool.spareCount, 1)
    }
    const waiting = lab.host.machines.filter(({ told }) => told.at(-1) === 'query-status')
    assert.deepEqual(
      waiting.map(({ hasEnded }) => hasEnded),
      [true, true, false]
    )
    lab.roles()
    await lab.run(pool, { limits: { memoryMib: 96, cpuSecondsMax: 2 } })
    assert.deepEqual(lab.roles(), ['start'], 'whose processor time is limited otherwise has another')
  })

  it('ends ten minutes after the last machine of its kind was asked for', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    const image = await withImage(lab)
    await runAndWait(lab, pool, image)
    await runAndWait(lab, pool, image)
    await lab.clock.advance(VM_WARM_MS_MAX / 2)
    await runAndWait(lab, pool, image)
    const waiting = lab.host.machines.find(({ told }) => told.at(-1) === 'query-status')
    await lab.clock.advance(VM_WARM_MS_MAX - 1)
    assert.equal(waiting?.hasEnded, false, 'one that waited was taken in its place')
    await lab.clock.advance(1)
    assert.equal(waiting?.hasEnded, true)
    assert.equal(pool.spareCount, 0)
  })

  it('is none where memory is short, of machines that the processor holds, or where none is to be', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool, { tier: 'kvm' })
    assert.equal(pool.spareCount, 0)
    await runAndWait(lab, pool)
    const waiting = last(lab)
    assert.equal(pool.spareCount, 1)
    lab.host.memoryFreeMib = 1100
    await runAndWait(lab, pool, { limits: { memoryMib: 96, cpuSecondsMax: 99 } })
    assert.equal(pool.spareCount, 0)
    assert.equal(waiting.hasEnded, true, 'one that waited ends')
    lab.host.memoryFreeMib = 8192
    const other = lab.openPool({ warmMax: 0, spareMax: 0 })
    await runAndWait(lab, other)
    assert.equal(other.spareCount, 0)
  })

  it('is missed by nobody when it ended meanwhile', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool)
    last(lab).end()
    while (pool.spareCount > 0) await new Promise((resolve) => setImmediate(resolve))
    lab.roles()
    await runAndWait(lab, pool)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    lab.host.onTold = (command) => {
      if (command !== 'migrate-incoming') return
      lab.host.onTold = () => undefined
      last(lab).end()
    }
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['start'], 'restored anew')
    assert.deepEqual(lab.warnings, [])
  })

  it('counts as others do where it refuses what it is told: once with the one that is started in its place', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool)
    lab.roles()
    const waiting = last(lab)
    lab.host.refused.add('migrate-incoming')
    await runAndWait(lab, pool)
    assert.equal(waiting.hasEnded, true)
    assert.deepEqual(lab.roles(), ['start', 'kernel'])
    assert.deepEqual(lab.warnings, [])
    await lab.run(pool)
    assert.deepEqual(lab.warnings, ['machines start without their template'])
  })

  it('does not wait when it does not answer as it should', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    lab.host.refused.add('query-status')
    await runAndWait(lab, pool)
    assert.equal(pool.spareCount, 0)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start'])
    assert.equal(last(lab).hasEnded, true)
    assert.deepEqual(lab.warnings, [])
  })

  it('ends with its template', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool)
    const waiting = last(lab)
    await writeFile(await templateFile(lab, 'state'), 'another state')
    lab.roles()
    await lab.run(pool)
    assert.equal(waiting.hasEnded, true)
    assert.equal(waiting.told.includes('migrate-incoming'), false)
    assert.deepEqual(lab.roles(), ['become', 'start'])
    assert.deepEqual(lab.warnings, ['a template of machines was not as it was made'])
  })

  it('ends with who asked for the machine that is restored in it', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool)
    const stopping = new AbortController()
    lab.host.onTold = (command) => {
      if (command === 'migrate-incoming') stopping.abort(new Error('no more'))
    }
    await assert.rejects(pool.start(lab.machine({ signal: stopping.signal })), /no more/)
    while (!last(lab).hasEnded) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(pool.spareCount, 0)
  })

  it('ends with its pool, and none is started after that', async () => {
    await using lab = await openLab()
    const pool = lab.openPool({ warmMax: 0 })
    await runAndWait(lab, pool)
    await pool[Symbol.asyncDispose]()
    assert.equal(last(lab).hasEnded, true)
    assert.equal(pool.spareCount, 0)
    const planned = lab.openPool({ warmMax: 0 })
    await lab.run(planned)
    lab.roles()
    await planned[Symbol.asyncDispose]()
    await lab.clock.advance(VM_SPARE_AFTER_MS)
    await planned.settled()
    assert.deepEqual(lab.roles(), [])
    const starting = lab.openPool({ warmMax: 0 })
    await lab.run(starting)
    const before = lab.host.machines.length
    await lab.clock.advance(VM_SPARE_AFTER_MS)
    await starting[Symbol.asyncDispose]()
    assert.ok(lab.host.machines.slice(before).every(({ hasEnded }) => hasEnded))
    assert.equal(starting.spareCount, 0)
  })
})
