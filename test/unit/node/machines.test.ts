import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { systemPrivateFiles } from '#did'
import { systemVmmPowers, type MonitorSpawn, type VmmPowers } from '#vmm'
import { createMachines, type Machines, type MachinesComponents } from '../../../node/machines.ts'
import { createTextFiles } from '../../../node/text-files.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createFakeMonitor, type FakeMonitor } from '../vmm/fake-monitor.ts'

interface Lab extends AsyncDisposable {
  readonly folder: string
  readonly machines: Machines
  readonly spawned: readonly MonitorSpawn[]
}

/** Machines over a monitor that starts and says nothing. */
async function openLab(
  change: Partial<VmmPowers> = {},
  { hasGuest = true, holdGuest }: Pick<MachinesComponents, 'holdGuest'> & { hasGuest?: boolean } = {}
): Promise<Lab> {
  const temporary = await createTemporaryFolder()
  const folder = temporary.path
  const paths = { guest: join(folder, 'guest'), machines: join(folder, 'machines') }
  await mkdir(paths.guest)
  if (hasGuest) for (const name of ['kernel', 'initrd']) await writeFile(join(paths.guest, name), name)
  const spawned: MonitorSpawn[] = []
  const monitors: FakeMonitor[] = []
  const powers: VmmPowers = {
    ...systemVmmPowers,
    spawnMonitor: (init) => {
      spawned.push(init)
      const monitor = createFakeMonitor()
      monitors.push(monitor)
      return monitor.powers.spawnMonitor(init)
    },
    // They all say the same process.
    killProcess: (pid) => monitors.forEach((monitor) => monitor.powers.killProcess(pid)),
    platform: 'linux',
    arch: 'x64',
    findProgram: async (name) => `/usr/bin/${name}`,
    linkedFiles: async () => '',
    helpOf: async () => '',
    kernelRelease: '6.1.0',
    opens: async () => false,
    ...change
  }
  const files = createTextFiles(systemPrivateFiles, systemRandom)
  const machines = createMachines({
    ...{ paths, files, powers, clock: systemClock, random: systemRandom, logger: silentLogger },
    ...(holdGuest === undefined ? {} : { holdGuest })
  })
  return {
    folder,
    machines,
    spawned,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]()
  }
}

const REQUEST = {
  image: Buffer.from('an image'),
  program: ['/bin/hello', 'Ada'],
  memoryBytesMax: 64 * 1024 * 1024,
  cpuSecondsMax: 10,
  wallMsMax: 60_000,
  mayBeEmulated: false,
  signal: new AbortController().signal
}

/** What lies beside templates and what else machines need. */
async function imagesIn(lab: Lab): Promise<string[]> {
  return (await readdir(join(lab.folder, 'machines'))).filter((name) => name.includes('.'))
}

describe('machines of a node', () => {
  it('are refused to a stranger where they are only emulated, unless the user allows that', async () => {
    await using lab = await openLab()
    await assert.rejects(lab.machines.start(REQUEST), { code: 'ERR_VM_EMULATED' })
    assert.equal(lab.spawned.length, 0)
    const told: string[] = []
    const onHeld = (text: string): void => void told.push(text)
    await using machine = await lab.machines.start({ ...REQUEST, mayBeEmulated: true, onHeld })
    assert.match(told.join(), /emulated machine, which is no wall .*dev\/kvm does not open/)
    assert.ok(machine.pid !== undefined)
    const args = lab.spawned.at(-1)?.args ?? []
    assert.equal(args[args.indexOf('-m') + 1], '160', 'its memory beside what a guest needs')
    assert.ok(args.includes('--cpu=40:41'))
  })

  it('run from an image that is as it was verified, whatever became of its file', async () => {
    await using lab = await openLab()
    const start = async (): Promise<void> => {
      await using _machine = await lab.machines.start({ ...REQUEST, mayBeEmulated: true })
    }
    await start()
    const [name = ''] = (await readdir(join(lab.folder, 'machines'))).filter((file) =>
      file.endsWith('.erofs')
    )
    const image = join(lab.folder, 'machines', name)
    await writeFile(image, 'another image')
    await start()
    assert.equal(await readFile(image, 'utf8'), 'an image')
    assert.ok(lab.spawned.at(-1)?.args.includes(image))
    assert.deepEqual(await imagesIn(lab), [name])
  })

  it('hold the guest they start from until they are up, or are refused', async () => {
    const seen: string[] = []
    const holdGuest = async (): Promise<Disposable> =>
      await Promise.resolve({ [Symbol.dispose]: () => void seen.push(`let go after ${lab.spawned.length}`) })
    await using lab = await openLab({}, { holdGuest })
    await assert.rejects(lab.machines.start(REQUEST), { code: 'ERR_VM_EMULATED' })
    assert.deepEqual(seen, ['let go after 0'])
    {
      await using _machine = await lab.machines.start({ ...REQUEST, mayBeEmulated: true })
      assert.ok(lab.spawned.length > 0)
      assert.equal(seen.length, 1, 'a monitor may not have opened the files yet')
    }
    assert.deepEqual(seen.slice(1), [`let go after ${lab.spawned.length}`])
  })

  it('share one image, written once, and nothing half-written stays', async () => {
    await using lab = await openLab()
    const folder = join(lab.folder, 'machines')
    const requests = [1, 2, 3].map(() => lab.machines.start({ ...REQUEST, mayBeEmulated: true }))
    const machines = await Promise.all(requests)
    for (const machine of machines) await machine[Symbol.asyncDispose]()
    const digest = createHash('sha256').update(REQUEST.image).digest('hex')
    assert.deepEqual(await imagesIn(lab), [`${digest}.erofs`])
    assert.equal(await readFile(join(folder, `${digest}.erofs`), 'utf8'), 'an image')
  })

  it('are cleaned of what a node that was killed left', async () => {
    await using lab = await openLab()
    const folder = join(lab.folder, 'machines')
    for (const name of ['templates/abc.0123.new', 'handover'])
      await mkdir(join(folder, name), { recursive: true })
    await writeFile(join(folder, 'left.erofs.123.new'), 'half')
    await writeFile(join(folder, 'handover', 'a name'), 'an image')
    await lab.machines.clean()
    assert.deepEqual((await readdir(folder)).toSorted(), ['handover', 'rehearsal', 'templates'])
    assert.deepEqual(await readdir(join(folder, 'templates')), [])
    await chmod(join(folder, 'handover'), 0o700)
    assert.deepEqual(await readdir(join(folder, 'handover')), [])
  })

  it('are looked for again when looking failed', async () => {
    let tries = 0
    await using lab = await openLab({
      linkedFiles: async () => {
        tries += 1
        if (tries === 1) throw new Error('too many open files')
        return ''
      }
    })
    const request = { ...REQUEST, mayBeEmulated: true }
    await assert.rejects(lab.machines.start(request), /too many open files/)
    await using machine = await lab.machines.start(request)
    assert.ok(machine.pid !== undefined)
  })

  it('are looked for once in a while where the processor holds none', async () => {
    let tries = 0
    await using lab = await openLab({
      helpOf: async () => {
        tries += 1
        return await Promise.resolve('')
      }
    })
    for (let count = 0; count < 3; count += 1) {
      await using _machine = await lab.machines.start({ ...REQUEST, mayBeEmulated: true })
    }
    assert.equal(tries, 1)
  })

  it('keep the images of the last ones that ran', async () => {
    await using lab = await openLab()
    const images = async (): Promise<string[]> =>
      (await readdir(join(lab.folder, 'machines'))).filter((name) => name.endsWith('.erofs'))
    for (let index = 0; index < 20; index += 1) {
      const image = Buffer.from(`image ${index}`)
      await using _machine = await lab.machines.start({ ...REQUEST, image, mayBeEmulated: true })
    }
    assert.equal((await images()).length, 16)
    const last = createHash('sha256').update('image 19').digest('hex')
    assert.ok((await images()).includes(`${last}.erofs`))
  })

  for (const [platform, arch] of [
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'riscv64']
  ] as const) {
    it(`are none on ${platform} on ${arch}, whatever is there: WASM only`, async () => {
      await using lab = await openLab({ platform, arch })
      await assert.rejects(lab.machines.start({ ...REQUEST, mayBeEmulated: true }), {
        code: 'ERR_VM_UNAVAILABLE',
        message: new RegExp(`this is ${platform} on ${arch}: WASM only here`)
      })
      assert.equal(lab.spawned.length, 0)
    })
  }

  it('say what to install or to build where there are none', async () => {
    await using bare = await openLab({ findProgram: async () => undefined })
    await assert.rejects(bare.machines.start(REQUEST), {
      code: 'ERR_VM_UNAVAILABLE',
      detail: ['apt-get install qemu-system-x86', 'apt-get install bubblewrap', 'apt-get install util-linux']
    })
    await using guestless = await openLab({}, { hasGuest: false })
    await assert.rejects(guestless.machines.start(REQUEST), { code: 'ERR_VM_UNAVAILABLE' })
  })
})
