import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from '#contracts'
import type { GuestFiles, Machine, MachineInit, MachineOutcome, MachineReport } from '#vmm'
import { descendantsOf, stillRunning } from '../../support/descendants.ts'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { probeHere, readText, startTestMachine } from '../../support/machine.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

const run = promisify(execFile)
const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'vmm')
const EPERM = 1
const ENOENT = 2
const ENOSPC = 28
const SIGKILL = 9
/** What a hostile program must not get, whatever the reason that it is told; the rest of what it prints is checked by itself. */
const GUEST_REFUSALS = 39
const MONITOR_REFUSALS = 17
const MIB = 2 ** 20

describe('red team: machines', () => {
  let folder: TemporaryFolder
  let guest: GuestFiles
  let report: MachineReport
  let image: string
  let neighbour: Machine
  let neighbourSays: AsyncIterator<Uint8Array>

  before(async function () {
    this.timeout(300_000)
    const provided = await provideGuest(this)
    guest = provided.guest
    folder = await createTemporaryFolder()
    await Promise.all(['hostile-guest', 'hostile-monitor'].map(compile))
    image = join(folder.path, 'root.erofs')
    const attacker = await readFile(join(folder.path, 'hostile-guest'))
    await writeImage(image, [
      ...provided.shell,
      {
        ...{ kind: 'file', path: 'bin/attacker', bytes: attacker.byteLength, isExecutable: true },
        content: () => [attacker]
      }
    ])
    report = await probeHere(guest)
    neighbour = start(['/bin/busybox', 'cat'])
    neighbourSays = neighbour.stdout.incoming[Symbol.asyncIterator]()
  })

  // Whatever is done to one machine: the node, which is this process, goes on, and so does another capsule.
  afterEach(async () => {
    await neighbour.stdin.write(Buffer.from('still here\n'))
    const heard = await neighbourSays.next()
    assert.equal(Buffer.from(heard.value as Uint8Array).toString(), 'still here\n')
  })

  after(async () => {
    await neighbour?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  const compile = async (name: string): Promise<void> => {
    const args = ['-static', '-O1', '-o', join(folder.path, name), join(FIXTURES, `${name}.c`)]
    await run('musl-gcc', args)
  }

  const start = (args: readonly string[], change: Partial<MachineInit> = {}): Machine =>
    startTestMachine({ report, guest, image, program: { args }, change })

  /** Starts a machine whose monitor does `what`, in the jail of every monitor. */
  const startTaken = async (what: string, change: Partial<MachineInit> = {}): Promise<Machine> => {
    assert.ok(report.tier !== 'none')
    const monitor = join(folder.path, what)
    await copyFile(join(folder.path, 'hostile-monitor'), monitor)
    return start(['/bin/sh'], { layout: { ...report.layout, monitor }, ...change })
  }

  it('a hostile program reaches nothing, takes what its machine has, and hears no signal: its owner ends it all the same', async () => {
    await using attacker = start(['/bin/attacker'])
    const words = attacker.stdout.incoming[Symbol.asyncIterator]()
    let said = ''
    while (!said.includes('flooding')) {
      const next = await words.next()
      if (next.done === true) break
      said += Buffer.from(next.value).toString('latin1')
    }
    const results = resultsOf(said.split('flooding')[0] ?? '')
    assert.equal(results.get('take all memory'), `signal ${SIGKILL}`, 'only the child that took it')
    assert.equal(results.get('fill the folder'), `exit ${ENOSPC}`)
    const refused = [...results].filter(([name]) => name !== 'take all memory' && name !== 'fill the folder')
    assert.deepEqual(
      refused.filter(([, result]) => result === 'ok'),
      []
    )
    assert.equal(refused.length, GUEST_REFUSALS)
    assert.equal(results.get('open /dev/vport0p1'), String(ENOENT))
    assert.equal(results.get('make a channel'), String(EPERM))
    // Nobody reads what it writes without end: it waits, and this process holds a window of it at most.
    const before = process.memoryUsage().arrayBuffers
    attacker.signal(15)
    attacker.signal(1)
    await neighbour.stdin.write(Buffer.from('still here\n'))
    await neighbourSays.next()
    const grown = process.memoryUsage().arrayBuffers - before
    assert.ok(grown < 4 * MIB, `${grown} bytes`)
    const pids = await processesOf(attacker)
    await attacker[Symbol.asyncDispose]()
    assert.equal(codeOf(await attacker.finished), 'ERR_VM_STOPPED')
    assert.deepEqual(await stillRunning(pids), [])
  }).timeout(120_000)

  const ends: Readonly<Record<string, readonly [code: string, change?: Partial<MachineInit>]>> = {
    garbage: ['ERR_VM_CHANNEL'],
    length: ['ERR_VM_CHANNEL'],
    liar: ['ERR_VM_CHANNEL'],
    half: ['ERR_VM_CHANNEL'],
    'flood-channel': ['ERR_VM_CHANNEL'],
    silent: ['ERR_VM_TIME_LIMIT', { wallMsMax: 500 }],
    'flood-console': ['ERR_VM_TIME_LIMIT', { wallMsMax: 500 }],
    burn: ['ERR_VM_TIME_LIMIT', { limits: { memoryMib: 128, cpuSecondsMax: 1 } }]
  }
  for (const [what, [code, change]] of Object.entries(ends)) {
    it(`a monitor that was taken over ends alone: ${what}, ${code}`, async () => {
      await using machine = await startTaken(what, change)
      const pids = await processesOf(machine)
      const outcome = await machine.finished
      assert.equal(codeOf(outcome), code)
      const detail = outcome.kind === 'error' ? outcome.error.detail.join('') : ''
      assert.ok(detail.length <= 2 * 16_384, 'the end of what it said, and no more')
      assert.deepEqual(await stillRunning(pids), [])
    }).timeout(120_000)
  }

  it('a monitor that was taken over reaches no file, no network, no process and no right', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using machine = await startTaken(`look-${(server.address() as AddressInfo).port}`)
    const results = resultsOf(await saidBy(machine))
    assert.equal(results.size, MONITOR_REFUSALS + 1)
    assert.deepEqual(
      // A monitor that has the processor hold its machine has that one device.
      [...results].filter(([name, result]) => result === 'ok' && !(name === 'kvm' && report.tier === 'kvm')),
      []
    )
    server.close()
  }).timeout(60_000)

  it('a monitor that was taken over has as much memory and as many processes and files as it may, and no more', async () => {
    assert.ok(report.tier !== 'none')
    const taken = async (what: string): Promise<number> => {
      await using machine = await startTaken(what)
      return Number(resultsOf(await saidBy(machine)).get(what))
    }
    const memoryMib = await taken('memory')
    assert.ok(memoryMib > 128 && memoryMib < 128 + 768, `${memoryMib} MiB`)
    assert.ok((await taken('files')) < 64)
    // The kernel lets root's user have as many processes as it likes; all of them end with the jail.
    const processes = await taken('processes')
    if (report.layout.hasOwnThreadCount === true && process.getuid?.() !== 0) assert.ok(processes < 128)
  }).timeout(60_000)

  it('a monitor that was taken over and wants to stay is ended with its owner’s word', async () => {
    await using machine = await startTaken('stay')
    await machine.started
    const pids = await processesOf(machine)
    assert.ok(pids.length >= 3, 'the guard, the jail and what is in it')
    await machine[Symbol.asyncDispose]()
    assert.equal(codeOf(await machine.finished), 'ERR_VM_STOPPED')
    assert.deepEqual(await stillRunning(pids), [])
  }).timeout(60_000)
})

async function processesOf(machine: Machine): Promise<number[]> {
  const pid = machine.pid ?? 0
  return [pid, ...(await descendantsOf(pid)).map((facts) => facts.pid)]
}

/** What a monitor that ended at once had found out. */
async function saidBy(machine: Machine): Promise<string> {
  void readText(machine.stdout.incoming)
  const outcome = await machine.finished
  assert.equal(codeOf(outcome), 'ERR_VM_START')
  return outcome.kind === 'error' ? outcome.error.detail.join('\n') : ''
}

function codeOf(outcome: MachineOutcome): string | undefined {
  return outcome.kind === 'error' ? errorCode(outcome.error) : JSON.stringify(outcome.exit)
}

/** Lines such as `name: result`. */
function resultsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.lastIndexOf(': ')
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 2)] as const]
    })
  )
}
