import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdir, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemTemplatePowers, type MachineInit } from '#vmm'
import { VM_WARM_AGAIN_MS, VM_WARM_MAX } from '../../../vmm/constants.ts'
import { handedOver, lastMove, LAYOUT, openLab, templateFile } from './machine-pool-lab.ts'

describe('a pool of machines', () => {
  it('makes a template once, starts from it, and has one more that waits', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start'])
    assert.equal(lab.host.machines[0]?.hasEnded, true, 'whose memory is a template runs no more')
    assert.equal(pool.warmCount, 1)
    const waiting = lab.host.machines[2]
    assert.equal(lastMove(waiting), 'stop', 'one that waits stands still')
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.equal(lab.host.machines[2], waiting)
    assert.equal(lastMove(waiting), 'cont')
    assert.deepEqual(lab.roles(), ['start'])
    await using another = lab.openPool()
    await lab.run(another)
    assert.deepEqual(lab.roles(), ['start', 'start'], 'the template was kept')
  })

  it('has two wait where two were asked for within a minute, and no more', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    lab.roles()
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    assert.equal(pool.warmCount, 2)
    await Promise.all([lab.run(pool), lab.run(pool)])
    assert.deepEqual(lab.roles(), ['start', 'start'], 'both had one that waited')
    assert.equal(pool.warmCount, 2)
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.deepEqual(lab.roles(), [])
    assert.equal(pool.warmCount, 1, 'one is enough for who asks seldom')
  })

  it('has one of another kind go for the second of the kind that is wanted', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    const kind = (cpuSecondsMax: number): Partial<MachineInit> => ({
      limits: { memoryMib: 96, cpuSecondsMax }
    })
    for (const one of [1, 2, 3]) await lab.run(pool, kind(one))
    assert.equal(pool.warmCount, VM_WARM_MAX)
    await lab.run(pool, kind(3))
    assert.equal(pool.warmCount, VM_WARM_MAX)
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    lab.roles()
    await lab.run(pool, kind(2))
    assert.deepEqual(lab.roles(), ['start'], 'it had waited, and has a successor')
    await lab.run(pool, kind(1))
    assert.deepEqual(lab.roles(), ['start', 'start'], 'that one had gone')
  })

  it('makes no second one while others are asked for', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    let other: Promise<unknown> | undefined
    lab.host.onTold = (command) => {
      if (command === 'blockdev-del')
        other ??= lab.run(pool, { limits: { memoryMib: 96, cpuSecondsMax: 99 } })
    }
    await lab.run(pool)
    await other
    await pool.settled()
    assert.equal(pool.warmCount, 2, 'one of each kind')
  })

  it('makes no more of them at a time than may wait, where each is the end of the one before', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    lab.roles()
    let ends = 0
    lab.host.onTold = (command) => {
      if (command !== 'blockdev-del' || ++ends > 10) return
      for (const one of lab.host.machines.slice(0, -1)) if (lastMove(one) === 'stop') one.end()
    }
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    assert.equal(pool.warmCount, 1)
  })

  it('has no second one wait where memory is short', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    lab.host.onTold = (command) => {
      if (command === 'blockdev-del') lab.host.memoryFreeMib = 1100
    }
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
  })

  it('takes another template for a machine with another kernel, memory or monitor', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    const kernel = join(lab.folder, 'kernel 2')
    await writeFile(kernel, 'another')
    const monitor = join(lab.folder, 'monitor 2')
    await writeFile(monitor, 'another')
    const initrd = join(lab.folder, 'initrd')
    const changes: Partial<MachineInit>[] = [
      { guest: { kernel, initrd } },
      { limits: { memoryMib: 112, cpuSecondsMax: 10 } },
      { layout: { ...LAYOUT, monitor } },
      { timestampKhz: 1_000_000 }
    ]
    for (const change of changes) {
      await lab.clock.advance(1000)
      lab.roles()
      await lab.run(pool, change)
      assert.equal(lab.roles()[0], 'become')
      assert.ok(pool.warmCount <= VM_WARM_MAX)
    }
    assert.equal((await readdir(join(lab.folder, 'pool', 'templates'))).length, 4, 'as many as are kept')
    lab.roles()
    await lab.run(pool, { limits: { memoryMib: 96, cpuSecondsMax: 99 } })
    assert.equal(lab.roles()[0], 'become', 'the one that was not used for longest is gone')
  })

  const harms: Readonly<Record<string, (memory: string, state: string) => Promise<void>>> = {
    'is cut off': async (memory) => await truncate(memory, 1000),
    'was written to': async (memory) => {
      await using file = await open(memory, 'r+')
      await file.write(Buffer.from('harm'), 0, 4, 5_000_000)
    },
    'lost its state': async (_, state) => await writeFile(state, '')
  }
  for (const [name, harm] of Object.entries(harms)) {
    it(`does not start from a template that ${name}, and says so once`, async () => {
      await using lab = await openLab()
      const pool = lab.openPool()
      await lab.run(pool)
      await using another = lab.openPool()
      await harm(await templateFile(lab, 'memory'), await templateFile(lab, 'state'))
      lab.roles()
      await lab.run(another)
      assert.deepEqual(lab.roles(), ['become', 'start', 'start'], 'from its kernel, and there is a new one')
      assert.deepEqual(lab.warnings, ['a template of machines was not as it was made'])
    })
  }

  it('keeps templates for their owner alone, and removes what was half made', async () => {
    await using lab = await openLab()
    const templates = join(lab.folder, 'pool', 'templates')
    await systemTemplatePowers.makeFolder(join(templates, 'abc.0123.new'))
    await lab.run(lab.openPool())
    const [key = '', ...others] = await readdir(templates)
    assert.deepEqual(others, [])
    assert.deepEqual((await readdir(join(templates, key))).toSorted(), ['memory', 'state', 'template.json'])
    for (const name of ['memory', 'state', 'template.json', '.']) {
      assert.equal((await stat(join(templates, key, name))).mode & 0o077, 0)
    }
    assert.deepEqual(await handedOver(lab), [], 'images are handed over and gone')
  })

  for (const command of ['migrate', 'migrate-incoming', 'blockdev-reopen', 'cont']) {
    it(`starts machines from their kernel where monitors refuse ${command} twice, and says so once`, async () => {
      await using lab = await openLab()
      lab.host.refused.add(command)
      const pool = lab.openPool()
      for (let count = 0; count < 2; count += 1) {
        assert.deepEqual(lab.warnings, [])
        await lab.run(pool)
        assert.equal(lab.roles().at(-1), 'kernel')
      }
      await lab.run(pool)
      assert.deepEqual(lab.roles(), ['kernel'])
      assert.deepEqual(lab.warnings, ['machines start without their template'])
    })

    it(`goes on with a template when monitors refuse ${command} now and then`, async () => {
      await using lab = await openLab()
      const pool = lab.openPool()
      for (let count = 0; count < 3; count += 1) {
        lab.host.refused.add(command)
        await lab.run(pool, { limits: { memoryMib: 96, cpuSecondsMax: 10 + count } })
        lab.host.refused.clear()
        lab.roles()
        await lab.run(pool, { limits: { memoryMib: 96, cpuSecondsMax: 10 + count } })
        assert.equal(lab.roles().includes('kernel'), false)
      }
      assert.deepEqual(lab.warnings, [])
    })
  }

  it('takes the failures of machines that were started at once for one', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    lab.host.refused.add('migrate-incoming').add('cont')
    await Promise.all([1, 2, 3].map(async () => await lab.run(pool)))
    assert.deepEqual(lab.warnings, [])
    lab.host.refused.clear()
    lab.roles()
    await lab.run(pool)
    assert.equal(lab.roles().includes('kernel'), false)
  })

  it('does not blame a template for an image that is not there', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool)
    const image = join(lab.folder, 'image')
    await rm(image)
    for (let count = 0; count < 3; count += 1) {
      lab.roles()
      await lab.run(pool)
      assert.equal(lab.roles().at(-1), 'kernel')
    }
    await writeFile(image, 'image')
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    assert.deepEqual(lab.warnings, [])
  })

  it('keeps no template of a guest that was replaced while it was made', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    lab.host.onTold = (command) => {
      if (command === 'migrate') writeFileSync(join(lab.folder, 'kernel'), 'another kernel')
    }
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['become', 'kernel'])
    assert.deepEqual(await readdir(join(lab.folder, 'pool', 'templates')), [])
    lab.host.onTold = () => undefined
    await lab.run(pool)
    assert.deepEqual(lab.roles(), ['become', 'start', 'start'])
    assert.deepEqual(lab.warnings, [])
  })

  it('makes no templates of machines that the processor holds', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await lab.run(pool, { tier: 'kvm' })
    assert.deepEqual(lab.roles(), ['kernel'])
    assert.equal(pool.warmCount, 0)
  })

  it('removes what one that was killed left, and makes nothing where there is nothing', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    await pool.clean()
    assert.equal((await readdir(lab.folder)).includes('pool'), false)
    const folder = join(lab.folder, 'pool')
    for (const name of ['templates/abc.0123.new', 'handover'])
      await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, 'templates', 'abc.0123.new', 'memory'), 'half')
    await writeFile(join(folder, 'handover', 'a name'), 'an image')
    await lab.openPool().clean()
    assert.deepEqual(await readdir(join(folder, 'templates')), [])
    assert.deepEqual(await handedOver(lab), [])
    assert.deepEqual(lab.roles(), [])
  })

  it('lets none wait for long, or where memory is short, or longer than it lives', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    lab.host.memoryFreeMib = 1100
    await lab.run(pool)
    assert.equal(pool.warmCount, 0)
    lab.host.memoryFreeMib = 8192
    await lab.clock.advance(VM_WARM_AGAIN_MS)
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    await lab.clock.advance(600_000)
    assert.equal(pool.warmCount, 0)
    assert.equal(lab.host.machines.at(-1)?.hasEnded, true)
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    lab.host.machines.at(-1)?.end()
    while (pool.warmCount > 0) await new Promise((resolve) => setImmediate(resolve))
    await lab.run(pool)
    await pool[Symbol.asyncDispose]()
    assert.equal(lab.host.machines.at(-1)?.hasEnded, true)
    await assert.rejects(pool.start(lab.machine()), { code: 'ERR_VM_STOPPED' })
  })

  it('ends what it starts for somebody who wants it no more', async () => {
    await using lab = await openLab()
    const pool = lab.openPool()
    const stopping = new AbortController()
    const starting = pool.start(lab.machine({ signal: stopping.signal }))
    while (lab.host.machines.length === 0) await new Promise((resolve) => setImmediate(resolve))
    stopping.abort(new Error('no more'))
    await assert.rejects(starting, /no more/)
    while (lab.host.machines.length < 2 || lab.host.machines.some(({ hasEnded }) => !hasEnded))
      await new Promise((resolve) => setImmediate(resolve))
    assert.equal(pool.warmCount, 0)
  })

  for (const command of ['blockdev-reopen', 'cont']) {
    it(`ends a machine whose owner wants it no more while it does ${command}`, async () => {
      await using lab = await openLab()
      const pool = lab.openPool()
      const stopping = new AbortController()
      lab.host.onTold = (told) => {
        if (told === command) stopping.abort(new Error('no more'))
      }
      await assert.rejects(pool.start(lab.machine({ signal: stopping.signal })), /no more/)
      assert.deepEqual(
        lab.host.machines.map(({ hasEnded }) => hasEnded),
        [true, true]
      )
    })
  }
})
