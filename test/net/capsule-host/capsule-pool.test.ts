import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  createCapsulePool,
  DEFAULT_CAPSULE_LIMITS,
  probeSandbox,
  startCapsuleProcess,
  systemPowers,
  type CapsuleLimits,
  type CapsulePool,
  type CapsuleProcess,
  type CapsuleProcessInit,
  type SandboxReport
} from '#capsule-host'
import { silentLogger, systemClock } from '#contracts'
import { descendantsOf, stillRunning } from '../../support/descendants.ts'
import { needs } from '../../support/requirements.ts'
import { assembleProgram } from '../../support/wat.ts'
import * as programs from './programs.ts'

const GUEST_ENTRY = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }

/** Gives back once what comes on its channel, and ends. */
const ANSWERS_ONCE = assembleProgram({
  imports: ['fd_read', 'fd_write'],
  fields: '(data (i32.const 0) "\\10\\00\\00\\00\\00\\10\\00\\00")',
  body: `(drop (call $fd_read (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $fd_write (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 8)))`
})

const silence: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) })
}

type Run = Omit<Partial<CapsuleProcessInit>, 'limits'> & { limits?: Partial<CapsuleLimits> }

describe('capsules from the pool', () => {
  let sandbox: SandboxReport
  let pool: CapsulePool
  /** What this process had started before, such as the compiler's service that other tests left. */
  let others: ReadonlySet<number>

  const start = (module: Uint8Array, { limits, ...run }: Run = {}): CapsuleProcess =>
    startCapsuleProcess(
      { ...components, sandbox, pool },
      {
        name: 'test',
        module,
        limits: { ...DEFAULT_CAPSULE_LIMITS, ...limits },
        stdin: silence,
        stdout: { write: () => undefined },
        stderr: { write: () => undefined },
        signal: new AbortController().signal,
        ...run
      }
    )
  const end = async (capsule: CapsuleProcess): Promise<string | number> => {
    const outcome = await capsule.finished
    return outcome.kind === 'exit' ? outcome.exitCode : outcome.error.code
  }
  const descendants = async (): Promise<number[]> => {
    return (await descendantsOf(process.pid, others)).map(({ pid }) => pid)
  }

  before(async function () {
    await needs(this, 'bubblewrap', 'prlimit')
    others = new Set((await descendantsOf(process.pid)).map(({ pid }) => pid))
    sandbox = await probeSandbox(components, { guestEntry: GUEST_ENTRY })
    assert.equal(sandbox.level, 'namespaces+seccomp')
  })

  beforeEach(async () => {
    pool = createCapsulePool({ ...components, sandbox })
    assert.equal(await end(start(programs.EXIT_7)), 7)
    await pool.settled()
    assert.equal(pool.warmCount, 1)
  })

  afterEach(async () => {
    await pool[Symbol.asyncDispose]()
    assert.deepEqual(await descendants(), [], 'nothing is left')
  })

  it('run in a process that was there before, and each in another', async () => {
    const used: number[] = []
    for (let run = 0; run < 3; run += 1) {
      const waiting = await descendants()
      const capsule = start(programs.EXIT_7)
      assert(waiting.includes(capsule.pid ?? -1))
      assert.equal(await end(capsule), 7)
      assert.deepEqual(await stillRunning(waiting), [], 'with its capsule the process ends')
      used.push(capsule.pid ?? -1)
      await pool.settled()
    }
    assert.equal(new Set(used).size, 3)
  })

  it('have all of their processor time, and no more', async () => {
    const capsule = start(programs.SPINS, { limits: { cpuSecondsMax: 1 } })
    assert.equal(await end(capsule), 'ERR_CAPSULE_TIME_LIMIT')
    // One that is busy yields to all others: on a busy machine its second of processor time takes long.
  }).timeout(180_000)

  it('are held to their processor time by the kernel too, soon after', async () => {
    const capsule = start(programs.WAITS, { limits: { cpuSecondsMax: 7 } })
    const inner = (await descendantsOf(capsule.pid ?? -1)).at(-1)?.pid
    const limitOf = async (): Promise<string | undefined> => {
      const limits = await readFile(`/proc/${inner}/limits`, 'utf8')
      return /^Max cpu time\s+(\d+)\s+(\d+)/m.exec(limits)?.slice(1).join(' ')
    }
    const giveUpAt = Date.now() + 20_000
    while ((await limitOf()) !== '9 10' && Date.now() < giveUpAt) await sleep(50)
    assert.equal(await limitOf(), '9 10')
    await capsule[Symbol.asyncDispose]()
  })

  it('run at a lower priority than the node', async () => {
    const capsule = start(programs.WAITS)
    // Its guard waits for the node's end only, and then must not wait for its turn.
    for (const { pid } of await descendantsOf(capsule.pid ?? -1)) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
      // proc_pid_stat(5): the 19th field; the 2nd may hold anything.
      const nice = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[16]
      if (stat !== undefined) assert.equal(Number(nice) >= 10, true, stat)
    }
    await capsule[Symbol.asyncDispose]()
  })

  it('talk with whoever holds their channel, which is closed with them', async () => {
    const heard: string[] = []
    let closed = 0
    const capsule = start(ANSWERS_ONCE, {
      channel: (port) => {
        port.send(Buffer.from('{"hello":1}\n'))
        return {
          push: (bytes) => heard.push(Buffer.from(bytes).toString()),
          close: () => (closed += 1)
        }
      }
    })
    assert.equal(await end(capsule), 0)
    assert.deepEqual(heard, ['{"hello":1}\n'])
    assert.equal(closed, 1)
  })

  it('are ended by whoever holds their channel, and when that breaks', async () => {
    const broken = start(programs.WAITS, {
      channel: () => {
        throw new Error('no channel today')
      }
    })
    assert.equal(await end(broken), 'ERR_CAPSULE_CRASHED')
    await pool.settled()
    const unread = start(programs.WAITS, {
      channel: (port) => {
        port.send(new Uint8Array(1024 * 1024))
        return { push: () => 0, close: () => undefined }
      }
    })
    assert.equal(await end(unread), 'ERR_CAPSULE_CHANNEL')
  })
})
