import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { silentLogger, type Logger } from '#contracts'
import type { GuestFiles, Machine, MachinePool, MachineReport } from '#vmm'
import { descendantsOf, stillRunning } from '../../support/descendants.ts'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { machineInit, openTestPool, probeHere, readText, spareSettled } from '../../support/machine.ts'
import { startProcess } from '../../support/process.ts'
import { skipBecause } from '../../support/requirements.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

const WORD_BYTES = 8
/** A bound for a broken run on a busy machine. */
const START_MS_MAX = 50_000
/** What a program of `draws.c` shows. */
const DRAWN_BYTES = 16 + 2 * 65_536
const LOOKS_AROUND =
  'date +%s; md5sum < /bin/busybox; md5sum < /bin/draws; ls -A / /tmp; wc -l < /proc/mounts; ls /proc/self/fd | wc -l; id; (echo x > /bin/x) 2>/dev/null || echo fixed'

describe('machines from one template', () => {
  let folder: TemporaryFolder
  let guest: GuestFiles
  let report: MachineReport
  let image: string
  let pool: MachinePool
  const warnings: string[] = []
  const rehearsed: unknown[] = []

  before(async function () {
    this.timeout(300_000)
    const provided = await provideGuest(this)
    guest = provided.guest
    folder = await createTemporaryFolder()
    image = join(folder.path, 'root.erofs')
    const draws = await compileDraws(folder.path)
    if (draws === undefined) skipBecause(this, 'no musl-gcc')
    const content = (): Uint8Array[] => [draws]
    const file = { kind: 'file', bytes: draws.byteLength, isExecutable: true, content } as const
    await writeImage(image, [...provided.shell, { ...file, path: 'bin/draws' }])
    report = await probeHere(guest)
    const logger: Logger = {
      ...silentLogger,
      warn: (event) => void warnings.push(event),
      info: (event, details) => {
        if (event === 'a machine waits') rehearsed.push(details?.['hasRehearsed'])
      }
    }
    pool = openTestPool(join(folder.path, 'pool'), { logger })
  })

  after(async () => {
    await pool?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const start = (...args: readonly string[]): Promise<Machine> =>
    // Only those that are emulated have templates.
    pool.start(machineInit({ report, guest, image, program: { args }, change: { tier: 'emulated' } }))

  it('never share a random byte, however they were started', async () => {
    const drawn: Buffer[] = []
    // The first makes the template; the next two come at once, so that one waited already and the other did not.
    for (const count of [1, 2]) {
      const machines = await Promise.all(Array.from({ length: count }, () => start('/bin/draws')))
      for (const machine of machines) {
        drawn.push(Buffer.concat(await Array.fromAsync(machine.stdout.incoming)))
        assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 0 } })
      }
      await pool.settled()
      assert.equal(pool.warmCount, 1)
    }
    assert.deepEqual(warnings, [], 'all of them came from the template')
    assertDistinct(drawn)
  })

  it('never share a random byte where their image was mounted before, and have that as it is', async () => {
    const wentOn: { readonly key: unknown; readonly wasSpare: unknown }[] = []
    const logger: Logger = {
      ...silentLogger,
      warn: (event) => void warnings.push(event),
      info: (event, details) => {
        if (event !== 'machine goes on from its template') return
        wentOn.push({ key: details?.['key'], wasSpare: details?.['wasSpare'] })
      }
    }
    await using ofImage = openTestPool(join(folder.path, 'pool of an image'), { logger, warmMax: 0 })
    const hash = createHash('sha256')
      .update(await readFile(image))
      .digest('hex')
    const disks = [{ path: image, isReadOnly: true, hash }]
    const startOfImage = (...args: readonly string[]): Promise<Machine> =>
      ofImage.start(
        machineInit({ report, guest, image, program: { args }, change: { tier: 'emulated', disks } })
      )
    const drawn: Buffer[] = []
    // The second makes the template of the image; the next two start there at once, one of them in the monitor that waits.
    for (const count of [1, 1, 2]) {
      const machines = await Promise.all(Array.from({ length: count }, () => startOfImage('/bin/draws')))
      for (const machine of machines) {
        drawn.push(Buffer.concat(await Array.fromAsync(machine.stdout.incoming)))
        assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 0 } })
      }
      await spareSettled(ofImage)
      assert.equal(ofImage.spareCount, 1)
    }
    const [first, second, third, fourth] = wentOn
    assert.equal(first?.key, second?.key)
    assert.equal(third?.key, fourth?.key)
    assert.notEqual(second?.key, third?.key)
    assert.deepEqual(
      wentOn.map(({ wasSpare }) => wasSpare).toSorted(),
      [false, false, true, true],
      'the first has none, and of the last two one'
    )
    assertDistinct(drawn)
    const machine = await startOfImage('/bin/busybox', 'sh', '-c', LOOKS_AROUND)
    await assertAtHome(machine)
    assert.equal(wentOn.at(-1)?.wasSpare, true)
    await assert.rejects(
      startOfImage('/bin/none').then(({ started }) => started),
      { code: 'ERR_VM_PROGRAM' }
    )
    const terminal = { columns: 80, rows: 24 }
    const program = { args: ['/bin/busybox', 'sh', '-c', 'stty size; id -u'], terminal }
    const atTerminal = await ofImage.start(
      machineInit({ report, guest, image, program, change: { tier: 'emulated', disks } })
    )
    assert.equal(await readText(atTerminal.stdout.incoming), '24 80\r\n1000\r\n')
    assert.equal(
      new Set(wentOn.slice(2).map(({ key }) => key)).size,
      1,
      'all of them went on where their image was mounted'
    )
    assert.equal(wentOn.length, 7)
    assert.deepEqual(warnings, [])
  })

  it('start as before when the monitor that waited for them was killed', async () => {
    const known = new Set((await descendantsOf(process.pid)).map(({ pid }) => pid))
    const wereSpare: unknown[] = []
    const logger: Logger = {
      ...silentLogger,
      warn: (event) => void warnings.push(event),
      info: (event, details) => {
        if (event === 'machine goes on from its template') wereSpare.push(details?.['wasSpare'])
      }
    }
    await using alone = openTestPool(join(folder.path, 'pool'), { logger, warmMax: 0 })
    const program = { args: ['/bin/busybox', 'echo', 'ready'] }
    const run = async (): Promise<void> => {
      const machine = await alone.start(
        machineInit({ report, guest, image, program, change: { tier: 'emulated' } })
      )
      assert.equal(await readText(machine.stdout.incoming), 'ready\n')
      await machine.finished
    }
    await run()
    await spareSettled(alone)
    assert.equal(alone.spareCount, 1)
    const found = await descendantsOf(process.pid, known)
    const monitor = found.find(({ pid }) => !found.some(({ parent }) => parent === pid))
    assert.ok(monitor)
    process.kill(monitor.pid, 'SIGKILL')
    await run()
    await spareSettled(alone)
    assert.equal(alone.spareCount, 1)
    await run()
    assert.deepEqual(wereSpare, [false, false, true])
    assert.deepEqual(warnings, [])
  })

  it('have the time of the host and the image they were given, and nothing of what was rehearsed', async () => {
    await pool.settled()
    assert.equal(pool.warmCount, 1)
    assert.ok(rehearsed.length > 0 && rehearsed.every((one) => one === true))
    const machine = await start('/bin/busybox', 'sh', '-c', LOOKS_AROUND)
    await assertAtHome(machine)
    assert.deepEqual(warnings, [])
  })

  for (const [name, waiting] of [
    ['those too that wait', { waiting: 1, spares: 0 }],
    ['and so does a monitor that waits', { waiting: 0, spares: 1 }]
  ] as const) {
    it(`end with their node, ${name}`, async () => {
      await pool.settled()
      await using owner = await startProcess({
        command: process.execPath,
        args: [
          ...[join(import.meta.dirname, 'machine-worker.ts'), guest.kernel, guest.initrd, image],
          ...[join(folder.path, 'pool'), String(waiting.waiting)]
        ],
        env: process.env
      })
      const { waiting: machines, spares } = await owner.event('started', { timeoutMs: START_MS_MAX })
      assert.deepEqual({ waiting: machines, spares }, waiting)
      const pids = (await descendantsOf(owner.pid)).map(({ pid }) => pid)
      assert.ok(pids.length >= 4, 'jails and monitors, of one that runs and of one that waits')
      owner.signal('SIGKILL')
      while ((await stillRunning(pids)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    })
  }
})

/** Refuses machines of which two drew the same eight bytes. */
function assertDistinct(drawn: readonly Buffer[]): void {
  const words = drawn.flatMap((bytes) => {
    assert.equal(bytes.byteLength, DRAWN_BYTES)
    return Array.from({ length: DRAWN_BYTES / WORD_BYTES }, (_, index) =>
      bytes.toString('hex', index * WORD_BYTES, (index + 1) * WORD_BYTES)
    )
  })
  assert.equal(new Set(words).size, words.length, 'no eight bytes come twice')
}

/** Refuses a machine whose program does not find its image, the host's time and nothing else. */
async function assertAtHome(machine: Machine): Promise<void> {
  const [time, busybox, draws, ...seen] = (await readText(machine.stdout.incoming)).trim().split('\n')
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60, `the host's time, got ${time}`)
  assert.notEqual(busybox, draws)
  assert.deepEqual(seen, [
    '/:',
    'bin',
    'dev',
    'proc',
    'tmp',
    '',
    '/tmp:',
    '5',
    '5',
    'uid=1000 gid=1000',
    'fixed'
  ])
  assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 0 } })
}

async function compileDraws(folder: string): Promise<Uint8Array | undefined> {
  const program = join(folder, 'draws')
  const source = join(import.meta.dirname, 'draws.c')
  try {
    await promisify(execFile)('musl-gcc', ['-Os', '-static', '-s', '-D_GNU_SOURCE', '-o', program, source])
    return await readFile(program)
  } catch {
    return undefined
  }
}
