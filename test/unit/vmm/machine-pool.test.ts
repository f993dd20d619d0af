import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { chmod, mkdir, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemRandom, type Logger } from '#contracts'
import {
  createMachinePool,
  systemTemplatePowers,
  type Machine,
  type MachineInit,
  type MachinePool
} from '#vmm'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'
import { createFakeHost, type FakeHost, type FakeMachine } from './fake-host.ts'

const LAYOUT = { bubblewrap: '/bwrap', prlimit: '/prlimit', reads: [] }

interface Lab extends AsyncDisposable {
  readonly host: FakeHost
  readonly clock: VirtualClock
  readonly folder: string
  readonly warnings: readonly string[]
  openPool(): MachinePool
  machine(change?: Partial<MachineInit>): MachineInit
  /** Starts one and waits until its program runs. */
  run(pool: MachinePool, change?: Partial<MachineInit>): Promise<Machine>
  /** What monitors were started for since the last time. */
  roles(): string[]
}

async function openLab(): Promise<Lab> {
  const temporary = await createTemporaryFolder()
  const folder = temporary.path
  for (const name of ['monitor', 'kernel', 'initrd', 'image']) await writeFile(join(folder, name), name)
  const host = createFakeHost()
  const clock = createVirtualClock()
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (event) => void warnings.push(event) }
  const pools: MachinePool[] = []
  const machines: Machine[] = []
  const machine = (change: Partial<MachineInit> = {}): MachineInit => ({
    ...{ arch: 'x86_64', tier: 'emulated', cpus: 1, wallMsMax: 60_000 },
    layout: { ...LAYOUT, monitor: join(folder, 'monitor') },
    limits: { memoryMib: 96, cpuSecondsMax: 10 },
    guest: { kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd') },
    disks: [{ path: join(folder, 'image'), isReadOnly: true }],
    program: { args: ['/bin/program'] },
    signal: new AbortController().signal,
    ...change
  })
  let seen = 0
  return {
    ...{ host, clock, folder, warnings, machine },
    openPool: () => {
      const components = {
        powers: host.powers,
        files: systemTemplatePowers,
        clock,
        random: systemRandom,
        logger
      }
      const pool = createMachinePool(components, { folder: join(folder, 'pool') })
      pools.push(pool)
      return pool
    },
    run: async (pool, change) => {
      const started = await pool.start(machine(change))
      machines.push(started)
      await started.started
      await pool.settled()
      return started
    },
    roles: () => host.machines.slice(seen, (seen = host.machines.length)).map(({ role }) => role),
    [Symbol.asyncDispose]: async () => {
      for (const one of [...machines, ...pools]) await one[Symbol.asyncDispose]()
      assert.ok(
        host.machines.every(({ hasEnded }) => hasEnded),
        'nothing is left'
      )
      await temporary[Symbol.asyncDispose]()
    }
  }
}

function lastMove(machine: FakeMachine | undefined): string | undefined {
  return machine?.told.findLast((command) => command === 'cont' || command === 'stop')
}

async function templateFile(lab: Lab, name: string): Promise<string> {
  const [key = ''] = await readdir(join(lab.folder, 'pool', 'templates'))
  return join(lab.folder, 'pool', 'templates', key, name)
}

/** Names in a folder that its owner, too, cannot look into. */
async function handedOver(lab: Lab): Promise<string[]> {
  const handover = join(lab.folder, 'pool', 'handover')
  await chmod(handover, 0o700)
  return await readdir(handover)
}

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
    await lab.run(pool)
    assert.equal(lab.host.machines[2], waiting)
    assert.equal(lastMove(waiting), 'cont')
    assert.deepEqual(lab.roles(), ['start'])
    await using another = lab.openPool()
    await lab.run(another)
    assert.deepEqual(lab.roles(), ['start', 'start'], 'the template was kept')
  })

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

  it('has one that waits without a rehearsal after one that went wrong, and keeps the template', async () => {
    await using lab = await openLab()
    lab.host.rehearsing = 'badly'
    const pool = lab.openPool()
    await lab.run(pool)
    assert.equal(pool.warmCount, 0)
    assert.equal(lab.host.machines.at(-1)?.hasEnded, true)
    assert.deepEqual(lab.warnings, ['no machine waits'])
    lab.roles()
    await lab.run(pool)
    assert.equal(pool.warmCount, 1)
    assert.deepEqual(lab.roles(), ['start', 'start'])
    assert.equal(lab.warnings.length, 1)
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
      assert.ok(pool.warmCount <= 2)
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
