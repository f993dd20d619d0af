import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  createMemoryFiles,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  serveFiles,
  startCapsuleProcess,
  systemPowers,
  type CapsuleLimits,
  type CapsuleProcess,
  type CapsuleProcessInit,
  type SandboxReport
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { descendantsOf } from '../../support/descendants.ts'
import { needs } from '../../support/requirements.ts'
import { assembleProgram, assembleWat } from '../../support/wat.ts'
import * as programs from '../capsule-host/programs.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
const KIB = 1024
const MIB = 1024 * KIB

/** Opens a new file again and again and exits with the error that ends it, or with 200 after 2,000. */
const OPENS_FOR_EVER = assembleProgram({
  imports: ['path_open', 'proc_exit'],
  fields: '(data (i32.const 16) "aaaa")',
  body: `(local $errno i32) (local $count i32)
    (loop $next
      (i32.store (i32.const 16) (i32.add (i32.const 0x61616161)
        (i32.add (i32.rem_u (local.get $count) (i32.const 26))
          (i32.mul (i32.const 256) (i32.rem_u (i32.div_u (local.get $count) (i32.const 26)) (i32.const 26))))))
      (local.set $errno (call $path_open (i32.const 4) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1)
        (i64.const 66) (i64.const 66) (i32.const 0) (i32.const 32)))
      (if (i32.ne (local.get $errno) (i32.const 0)) (then (call $proc_exit (local.get $errno))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $count) (i32.const 2000))))
    (call $proc_exit (i32.const 200))`
})

/** Writes to one file without end and exits with the error that ends it. */
const FILLS_THE_DISK = assembleProgram({
  imports: ['path_open', 'fd_write', 'proc_exit'],
  fields: '(data (i32.const 0) "\\00\\00\\00\\00\\00\\80\\00\\00") (data (i32.const 16) "aaaa")',
  body: `(local $errno i32)
    (local.set $errno (call $path_open (i32.const 4) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1)
      (i64.const 66) (i64.const 66) (i32.const 0) (i32.const 32)))
    (if (i32.ne (local.get $errno) (i32.const 0)) (then (call $proc_exit (i32.const 201))))
    (loop $next
      (local.set $errno (call $fd_write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.ne (local.get $errno) (i32.const 0)) (then (call $proc_exit (local.get $errno))))
      (br $next))`
})

/** Reads both clocks 200,000 times; exits with 1 for a time that is no whole millisecond. */
const WATCHES_THE_CLOCK = assembleProgram({
  imports: ['clock_time_get', 'proc_exit'],
  body: `(local $count i32)
    (loop $next
      (drop (call $clock_time_get (i32.and (local.get $count) (i32.const 1)) (i64.const 0) (i32.const 8)))
      (if (i64.ne (i64.rem_u (i64.load (i32.const 8)) (i64.const 1000000)) (i64.const 0))
        (then (call $proc_exit (i32.const 1))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $count) (i32.const 200000))))
    (call $proc_exit (i32.const 0))`
})

const RANDOM_FOR_EVER = assembleProgram({
  imports: ['random_get'],
  body: '(loop $next (drop (call $random_get (i32.const 0) (i32.const 65536))) (br $next))'
})

async function* nothing(): AsyncGenerator<Uint8Array> {
  // No input.
}

const silence: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) })
}

type Run = Omit<Partial<CapsuleProcessInit>, 'limits'> & { limits?: Partial<CapsuleLimits> }

describe('bombs', () => {
  let sandbox: SandboxReport
  const start = (module: Uint8Array, { limits, ...run }: Run = {}): CapsuleProcess =>
    startCapsuleProcess(
      { ...components, sandbox },
      {
        name: 'bomb',
        module,
        limits: { ...DEFAULT_CAPSULE_LIMITS, ...limits },
        stdin: nothing(),
        stdout: { write: () => undefined },
        stderr: { write: () => undefined },
        signal: new AbortController().signal,
        ...run
      }
    )
  const end = async (module: Uint8Array, run?: Run): Promise<string | number> => {
    const outcome = await start(module, run).finished
    return outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code
  }

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    assert.equal(sandbox.level, 'namespaces+seccomp')
  })

  // A compiler that a test before started stays for the next one.
  const known = new Set<number>()

  beforeEach(async () => {
    for (const { pid } of await descendantsOf(process.pid)) known.add(pid)
  })

  afterEach(async () => {
    assert.deepEqual(await descendantsOf(process.pid, known), [], 'nothing of a bomb is left')
  })

  for (const [what, module, code, run] of [
    ['takes all memory', programs.MEMORY_BOMB, 'ERR_CAPSULE_MEMORY_LIMIT', {}],
    ['grows its table without end', programs.TABLE_BOMB, 9, {}],
    ['calls itself without end', programs.ENDLESS_RECURSION, 'ERR_CAPSULE_TRAP', {}],
    ['has a function of a megabyte to compile', programs.bigFunction(), 0, {}],
    ['computes without end', programs.SPINS, 'ERR_CAPSULE_TIME_LIMIT', { limits: { cpuSecondsMax: 1 } }],
    [
      'asks for randomness without end',
      RANDOM_FOR_EVER,
      'ERR_CAPSULE_TIME_LIMIT',
      { limits: { cpuSecondsMax: 1 } }
    ],
    [
      'waits without end',
      programs.WAITS,
      'ERR_CAPSULE_TIME_LIMIT',
      { limits: { wallMsMax: 1000 }, stdin: silence }
    ],
    ['writes without end', programs.FLOODS, 'ERR_CAPSULE_OUTPUT_LIMIT', { limits: { outputBytesMax: MIB } }],
    ['floods its channel and reads no answer', programs.FLOODS_CHANNEL, 'ERR_CAPSULE_CHANNEL', {}],
    ['writes a message without end', programs.ENDLESS_LINE, 'ERR_CAPSULE_CHANNEL', {}]
  ] as [string, Uint8Array, string | number, Run][]) {
    it(`red team: a capsule that ${what} is alone with that (${code})`, async () => {
      const beside = start(programs.ECHO, { stdin: silence })
      assert.equal(await end(module, run), code)
      await beside[Symbol.asyncDispose]()
      const outcome = await beside.finished
      assert(outcome.kind === 'error' && outcome.error.code === 'ERR_CAPSULE_STOPPED')
    })
  }

  for (const [what, fields] of [
    [
      'arrays of the garbage collector',
      '(type $a (array (mut i64))) (func (drop (array.new $a (i64.const 0) (i32.const 100000000))))'
    ],
    [
      'structs of the garbage collector',
      '(type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1))))'
    ],
    ['exceptions with tags', '(tag $t (param i32)) (func (throw $t (i32.const 1)))'],
    ['two memories', '(memory 1)']
  ] as const) {
    it(`red team: a module with ${what} is not compiled at all`, () => {
      const module = assembleWat(`(module ${fields} (memory (export "memory") 1) (func (export "_start")))`)
      assert.throws(() => start(module), { code: 'ERR_MODULE_FEATURE' })
    })
  }

  it('red team: a module larger than modules may be is not looked at', () => {
    assert.throws(() => start(new Uint8Array(33 * MIB)), { code: 'ERR_MODULE_TOO_LARGE' })
  })

  it('red team: a capsule that opens files without end gets as many as it may', async () => {
    const EMFILE = 33
    const files = serveFiles(createMemoryFiles({ clock: systemClock }), { openFilesMax: 5 })
    assert.equal(await end(OPENS_FOR_EVER, { files }), EMFILE)
  })

  it('red team: a capsule that fills its files gets what it may keep, and is told', async () => {
    const [EDQUOT, ENOSPC] = [19, 51]
    const files = serveFiles(createMemoryFiles({ clock: systemClock, bytesMax: MIB }), { openFilesMax: 5 })
    const code = await end(FILLS_THE_DISK, { files })
    assert(code === EDQUOT || code === ENOSPC, String(code))
  })

  it('red team: a capsule sees no time finer than a millisecond', async () => {
    assert.equal(await end(WATCHES_THE_CLOCK), 0)
  })

  it('red team: what a capsule writes and nobody reads fills its own pipe, not the memory of the node', async () => {
    const stop = new AbortController()
    const before = process.memoryUsage().arrayBuffers
    const capsule = start(programs.FLOODS, {
      stdout: { write: () => new Promise(() => undefined) },
      signal: stop.signal
    })
    await sleep(1500)
    const grown = process.memoryUsage().arrayBuffers - before
    stop.abort()
    await capsule.finished
    assert(grown < 16 * MIB, `${Math.round(grown / MIB)} MiB`)
  })
})
