/** What simulated parts stand on: time, lines and disks. */
import assert from 'node:assert/strict'
import { readPrivateFile, writePrivateFile } from '#did'
import { createVirtualDisk, type VirtualDisk } from '../../sim/parts/disk.ts'
import { drive } from '../../sim/parts/powers.ts'
import { createScheduler, type Owner, type Scheduler } from '../../sim/parts/scheduler.ts'
import { createWire, type Station, type Wire } from '../../sim/parts/wire.ts'
import { createRandomSource } from '../../sim/random-source.ts'
import type { NetworkTerms } from '../../sim/scenario.ts'
import { createTrace } from '../../sim/trace.ts'

const NEVER = new AbortController().signal

async function run(scheduler: Scheduler, untilMs: number): Promise<void> {
  await drive(() => {
    const task = scheduler.next(untilMs)
    task?.()
    return task !== undefined
  })
}

describe('the time of simulated parts', () => {
  it('runs what is due in order, and what is due at once in the order in which it was asked for', async () => {
    const scheduler = createScheduler()
    const random = createRandomSource(1)
    const ran: number[] = []
    const due = Array.from({ length: 500 }, (_, index) => [Math.floor(random.unit() * 50), index] as const)
    for (const [atMs, index] of due) scheduler.after(atMs, () => ran.push(index))
    await run(scheduler, 100)
    const wanted = due.toSorted(([a, first], [b, second]) => a - b || first - second)
    assert.deepEqual(
      ran,
      wanted.map(([, index]) => index)
    )
    assert.equal(scheduler.nowMs(), 100)
  })

  it('lets promises run out before the next event, and rings no timer of the dead', async () => {
    const scheduler = createScheduler()
    const owner: Owner = { isDead: false }
    const clock = scheduler.clockOf(owner)
    const seen: string[] = []
    const nap = async (): Promise<void> => {
      await clock.sleep(10)
      for (let turn = 0; turn < 50; turn++) await Promise.resolve()
      seen.push(`slept until ${clock.monotonicMs()}`)
    }
    void nap()
    scheduler.after(11, () => seen.push('eleven'))
    clock.every(20, () => seen.push(`tick ${clock.monotonicMs()}`))
    scheduler.after(45, () => (owner.isDead = true))
    clock.after(15, () => seen.push('cancelled'))[Symbol.dispose]()
    await run(scheduler, 200)
    assert.deepEqual(seen, ['slept until 10', 'eleven', 'tick 20', 'tick 40'])
  })

  it('aborts a sleep, and has a wall clock of whole milliseconds', async () => {
    const scheduler = createScheduler()
    const clock = scheduler.clockOf({ isDead: false })
    const stop = new AbortController()
    const sleeping = assert.rejects(clock.sleep(100, stop.signal), /enough/)
    scheduler.after(1.5, () => stop.abort(new Error('enough')))
    await run(scheduler, 1.75)
    await sleeping
    assert.ok(Number.isInteger(clock.nowMs()))
    assert.equal(clock.monotonicMs(), 1.75)
  })
})

describe('the lines of simulated parts', () => {
  let scheduler: Scheduler
  let wire: Wire
  const lay = (terms: NetworkTerms): void => {
    scheduler = createScheduler()
    wire = createWire({ scheduler, trace: createTrace() }, 1, terms)
  }
  const station = (place: number): Station => ({
    place,
    owner: { isDead: false },
    answer: async (_from, _kind, bytes) => await Promise.resolve({ bytes }),
    linked: () => undefined
  })
  const ask = async (from: Station, to: number, bytes = 1): Promise<string> => {
    const init = { kind: 'test', bytes: new Uint8Array(bytes), signal: NEVER, timeoutMs: 5_000 }
    const asking = wire.request(from, to, init).then(
      () => `answered after ${Math.round(scheduler.nowMs())}`,
      (error: unknown) => `${(error as { code: string }).code} after ${Math.round(scheduler.nowMs())}`
    )
    await run(scheduler, scheduler.nowMs() + 10_000)
    return await asking
  }

  it('take the time of the way and of the bytes, and count them', async () => {
    lay({ latencyMs: { min: 10, max: 10 }, bytesPerMs: 100 })
    const [a, b] = [station(0), station(1)]
    for (const one of [a, b]) wire.open(one)
    assert.equal(await ask(a, 1, 40), 'answered after 22')
    assert.deepEqual(wire.takeCounts(), { bytesByKind: { test: 200 }, messages: 2 })
  })

  it('lead nowhere across a cut, to the dead, and back to who died meanwhile', async () => {
    lay({})
    const [a, b] = [station(0), station(1)]
    for (const one of [a, b]) wire.open(one)
    wire.partition([[0], [1]])
    assert.equal(await ask(a, 1), 'ERR_SIM_UNREACHABLE after 5000')
    wire.partition([])
    assert.match(await ask(a, 1), /^answered/)
    wire.close(b)
    assert.match(await ask(a, 1), /^ERR_SIM_UNREACHABLE/)
    assert.equal(wire.underWay(), 0)
  })

  it('let messages overtake each other when they jitter, and only then', async () => {
    const order = async (terms: NetworkTerms): Promise<boolean> => {
      lay({ latencyMs: { min: 50, max: 50 }, ...terms })
      const came: number[] = []
      const [a, b] = [
        station(0),
        {
          ...station(1),
          answer: async (_from: number, _kind: string, bytes: Uint8Array) => {
            came.push(bytes[0] ?? 0)
            return await Promise.resolve({ bytes })
          }
        }
      ]
      for (const one of [a, b]) wire.open(one)
      const linking = wire.connect(a, 1, NEVER).catch(() => undefined)
      await run(scheduler, 6_000)
      await linking
      for (let index = 0; index < 50; index++) {
        void wire
          .request(a, 1, { kind: 'test', bytes: Uint8Array.of(index), signal: NEVER, timeoutMs: 1_000 })
          .catch(() => undefined)
      }
      await run(scheduler, 20_000)
      const heard = came.slice(-50)
      assert.equal(heard.length, 50)
      return heard.every((value, index) => value === index)
    }
    assert.equal(await order({}), true)
    assert.equal(await order({ jitterRatio: 1 }), false)
    assert.equal(await order({ lossRatio: 0.3 }), false)
  })
})

describe('the disks of simulated parts', () => {
  const place = { folder: '/device', name: 'note' } as const
  let scheduler: Scheduler
  let disk: VirtualDisk
  const random = createRandomSource(1)
  beforeEach(() => {
    scheduler = createScheduler()
    disk = createVirtualDisk(random)
  })
  const mounted = (): ReturnType<VirtualDisk['mount']> => disk.mount(scheduler.clockOf({ isDead: false }))
  const write = async (text: string, forMs = 10_000): Promise<string> => {
    const { files } = mounted()
    const writing = writePrivateFile(files, place, { bytes: Buffer.from(text), mode: 'replace', random })
    let outcome = 'not acknowledged'
    writing.then(
      () => (outcome = 'acknowledged'),
      (error: unknown) => (outcome = (error as { code: string }).code)
    )
    await run(scheduler, scheduler.nowMs() + forMs)
    return outcome
  }
  const read = async (): Promise<string | undefined> => {
    const bytes = await readPrivateFile(mounted().files, place, 100)
    return bytes && Buffer.from(bytes).toString()
  }

  it('keep what was acknowledged through every power cut, and the whole of it', async () => {
    for (const fault of ['torn', 'lost'] as const) {
      disk.faults.add(fault)
      for (let version = 0; version < 40; version++) {
        assert.equal(await write(`version ${version}`), 'acknowledged')
        await write(`version ${version} and more`, version % 4)
        disk.crash()
        const found = await read()
        const whole = [`version ${version}`, `version ${version} and more`]
        assert.ok(whole.includes(found ?? ''), found ?? 'nothing')
      }
    }
  })

  it('lose what was acknowledged when folders are not synced: the planted fault', async () => {
    disk.isHasty = true
    let lost = 0
    for (let version = 0; version < 20; version++) {
      await write(`version ${version}`)
      disk.crash()
      if ((await read()) !== `version ${version}`) lost += 1
    }
    assert.ok(lost > 0)
  })

  it('refuse when they are full, and take their time when they are slow', async () => {
    disk.faults.add('full')
    assert.equal(await write('too much'), 'ERR_FILE_IO')
    disk.faults.clear()
    disk.faults.add('slow')
    assert.equal(await write('slow', 50), 'not acknowledged')
    await run(scheduler, scheduler.nowMs() + 60_000)
    assert.equal(await read(), 'slow')
  })

  it('make changes of a section together or not at all', async () => {
    const { write: put, entries } = mounted()
    void put('test', [
      ['a', Uint8Array.of(1)],
      ['b', Uint8Array.of(1)]
    ])
    disk.crash()
    assert.ok([0, 2].includes(entries('test').length))
    const done = put('test', [
      ['a', undefined],
      ['c', Uint8Array.of(3)]
    ])
    await run(scheduler, 100)
    await done
    disk.crash()
    assert.equal(mounted().get('test', 'a'), undefined)
    assert.deepEqual(mounted().get('test', 'c'), Uint8Array.of(3))
  })
})
