import assert from 'node:assert/strict'
import { randomBytes, createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestFiles, Machine, MachinePool, MachineReport, VmProgram } from '#vmm'
import { descendantsOf, stillRunning } from '../../support/descendants.ts'
import { provideGuest, writeImage } from '../../support/guest.ts'
import { machineInit, openTestPool, probeHere, readText, startTestMachine } from '../../support/machine.ts'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts'

/** What a stranger's program finds out about where it is, a line each. */
const LOOK_AROUND = `
id -u; id -G; echo "$SECRET"; pwd
grep -c : /proc/net/dev; grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status
ls /dev | tr '\\n' ' '; echo
touch /file 2>/dev/null && echo writable; touch /tmp/file && echo forgetful
ls /many | wc -l; cat '/many/file 299'
date +%s; cat /proc/cmdline
head -c 4000000 /bulk | md5sum
`

/** A kernel that starts on a busy machine: a bound for a broken run. */
const START_MS_MAX = 50_000

describe('a machine', () => {
  let folder: TemporaryFolder
  let guest: GuestFiles
  let report: MachineReport
  let image: string
  let pool: MachinePool
  const bulk = randomBytes(4_000_000)

  before(async function () {
    this.timeout(300_000)
    const provided = await provideGuest(this)
    guest = provided.guest
    folder = await createTemporaryFolder()
    image = join(folder.path, 'root.erofs')
    await writeImage(image, [
      ...provided.shell,
      { kind: 'file', path: 'bulk', bytes: bulk.byteLength, isExecutable: false, content: () => [bulk] },
      ...Array.from({ length: 300 }, (_, index) => {
        const content = Buffer.from(`content ${index}\n`)
        const path = `many/file ${index}`
        return {
          kind: 'file',
          path,
          bytes: content.byteLength,
          isExecutable: false,
          content: () => [content]
        } as const
      })
    ])
    report = await probeHere(guest)
    pool = openTestPool(join(folder.path, 'pool'))
  })

  after(async () => {
    await pool?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  // The first one starts its kernel, the others go on where that waited.
  const start = (program: VmProgram): Promise<Machine> =>
    pool.start(machineInit({ report, guest, image, program }))

  it('is held by KVM only where a guest was seen to start so', () => {
    assert.ok(report.tier === 'kvm' || report.tier === 'emulated')
    assert.notEqual(report.reason, '')
  })

  it('runs a program without rights, with its streams, and tells how it ended', async () => {
    const secret = `secret-${randomBytes(8).toString('hex')}`
    await using machine = await start({
      args: ['/bin/sh', '-c', `${LOOK_AROUND}\ncat; echo to stderr >&2; exit 7`],
      environment: { SECRET: secret },
      folder: '/tmp'
    })
    const output = Promise.all(
      [machine.stdout, machine.stderr, machine.channel].map(({ incoming }) => readText(incoming))
    )
    await machine.stdin.write(Buffer.from('from stdin\n'))
    machine.stdin.end()
    await machine.started
    assert.equal((await commandLines(machine)).join('\n').includes(secret), false)
    assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 7 } })
    const [stdout = '', stderr] = await output
    const lines = stdout.split('\n')
    assert.deepEqual(
      lines.slice(0, 5),
      ['1000', '1000', secret, '/tmp', '1'],
      'a user of its own, no network card'
    )
    assert.match(lines[5] ?? '', /^CapBnd:\s0+$/)
    assert.match(lines[6] ?? '', /^NoNewPrivs:\s1$/)
    assert.equal(lines[7], 'fd full null ptmx pts random tty urandom zero ')
    assert.deepEqual(lines.slice(8, 11), ['forgetful', '300', 'content 299'])
    assert.ok(Math.abs(Number(lines[11]) - Date.now() / 1000) < 120, `the host's time, got ${lines[11]}`)
    assert.equal(lines[12]?.includes(secret), false)
    assert.equal(lines[13], `${createHash('md5').update(bulk).digest('hex')}  -`)
    assert.deepEqual(lines.slice(14), ['from stdin', ''])
    assert.equal(stderr, 'to stderr\n')
  })

  it('has a channel, streams that hold back a sender, and takes signals', async () => {
    const script = `
      md5sum >&2; cat /bulk & read line <&3; echo "{\\"got\\":$line}" >&3
      wait; trap 'exit 5' TERM; echo waits >&2; while :; do sleep 0.1; done`
    await using machine = await start({ args: ['/bin/sh', '-c', script] })
    const channel = linesOf(machine.channel.incoming)
    const errors = linesOf(machine.stderr.incoming)
    await machine.stdin.write(bulk)
    machine.stdin.end()
    assert.ok(await errors.until(`${createHash('md5').update(bulk).digest('hex')}  -`))
    // Nobody reads the 4 MB it writes, and yet its channel goes on.
    await machine.channel.write(Buffer.from('[1,"é"]\n'))
    assert.ok(await channel.until('{"got":[1,"é"]}'))
    assert.ok(Buffer.concat(await takeBytes(machine.stdout.incoming, bulk.byteLength)).equals(bulk))
    assert.ok(await errors.until('waits'))
    machine.signal(15)
    void Promise.all([channel.until('end'), errors.until('end')])
    assert.deepEqual(await machine.finished, { kind: 'exit', exit: { kind: 'code', code: 5 } })
  })

  it('gives a terminal that is resized, and ends at once when told to, with all of it', async () => {
    await using machine = await start({
      args: [
        '/bin/sh',
        '-c',
        'stty size; ls /proc/self/fd | wc -l; read line; echo "$line"; stty size; sleep 1000'
      ],
      terminal: { columns: 80, rows: 24 }
    })
    const pids = (await descendantsOf(process.pid)).map(({ pid }) => pid)
    const seen = linesOf(machine.stdout.incoming)
    assert.equal(await seen.until('24 80'), true)
    assert.equal(await seen.until('5'), true, 'its streams, its channel, and what ls itself has open')
    machine.resize({ columns: 132, rows: 50 })
    await machine.stdin.write(Buffer.from('höher\r'))
    assert.equal(await seen.until('höher'), true)
    assert.equal(await seen.until('50 132'), true)
    await machine[Symbol.asyncDispose]()
    const outcome = await machine.finished
    assert.equal(outcome.kind === 'error' && outcome.error.code, 'ERR_VM_STOPPED')
    assert.ok(pids.includes(machine.pid ?? 0))
    assert.deepEqual(await stillRunning([machine.pid ?? 0]), [])
    assert.deepEqual(
      (await descendantsOf(process.pid, new Set())).filter(({ pid }) => pid === machine.pid),
      []
    )
  })

  it('says why a guest did not start, or its program', async () => {
    const noKernel = join(folder.path, 'no-kernel')
    await writeFile(noKernel, 'not a kernel')
    await using broken = startTestMachine({
      ...{ report, image, program: { args: ['/bin/sh'] } },
      guest: { kernel: noKernel, initrd: guest.initrd }
    })
    const outcome = await broken.finished
    assert.ok(outcome.kind === 'error')
    assert.equal(outcome.error.code, 'ERR_VM_START')
    assert.notDeepEqual(outcome.error.detail, [], 'in the words of the monitor')
    for (const [path, reason] of [
      ['/bin/nothing', /its program, error number 2$/],
      ['/proc/mounts', /its program, error number 13$/]
    ] as const) {
      await using none = await start({ args: [path] })
      const ended = await none.finished
      assert.ok(ended.kind === 'error')
      assert.equal(ended.error.code, 'ERR_VM_PROGRAM')
      assert.match(ended.error.message, reason)
    }
  })

  it('leaves no process and no file when its owner is killed', async () => {
    await using temporary = await createTemporaryFolder()
    await using owner = await startProcess({
      command: process.execPath,
      args: [join(import.meta.dirname, 'machine-worker.ts'), guest.kernel, guest.initrd, image],
      env: { ...process.env, TMPDIR: temporary.path }
    })
    await owner.event('started', { timeoutMs: START_MS_MAX })
    const pids = (await descendantsOf(owner.pid)).map(({ pid }) => pid)
    assert.ok(pids.length >= 2, 'the jail outside and the monitor inside')
    owner.signal('SIGKILL')
    while ((await stillRunning(pids)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await readdir(temporary.path), [])
  })
})

/** Command lines of a machine's processes, as anybody on this host reads them. */
async function commandLines(machine: Machine): Promise<string[]> {
  const inner = await descendantsOf(machine.pid ?? 0)
  const pids = [machine.pid ?? 0, ...inner.map(({ pid }) => pid)]
  assert.ok(pids.length >= 2)
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8')))
}

async function takeBytes(source: AsyncIterable<Uint8Array>, bytes: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  let left = bytes
  for await (const part of source) {
    parts.push(part)
    left -= part.byteLength
    if (left <= 0) break
  }
  return parts
}

/** Lines as they come; `until` is false when the stream ends without one. */
function linesOf(source: AsyncIterable<Uint8Array>): { until(line: string): Promise<boolean> } {
  const chunks = source[Symbol.asyncIterator]()
  let text = ''
  return {
    until: async (line) => {
      while (!text.split(/\r?\n/).slice(0, -1).includes(line)) {
        const next = await chunks.next()
        if (next.done === true) return false
        text += Buffer.from(next.value).toString('utf8')
      }
      return true
    }
  }
}
