import assert from 'node:assert/strict'
import { DEFAULT_CAPSULE_LIMITS, type CapsuleError, type CapsuleLimits } from '#capsule-host'
import type { Clock } from '#contracts'
import { Rate } from '../../../capsule-host/process/rate.ts'
import { SharedOutput } from '../../../capsule-host/process/shared-output.ts'
import { Traffic } from '../../../capsule-host/process/traffic.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const { signal } = new AbortController()

interface Sent {
  readonly code: string | undefined
  readonly count: number
}

/** Sends without a pause for `durationMs`, and says how often it could and how it was ended. */
async function flood(clock: VirtualClock, durationMs: number, send: () => Promise<void>): Promise<Sent> {
  let count = 0
  let code: string | undefined
  let isOver = false
  const run = async (): Promise<void> => {
    while (!isOver) {
      await send()
      count += 1
    }
  }
  const running = run().catch((thrown: unknown) => (code = (thrown as CapsuleError).code))
  await clock.advance(durationMs)
  isOver = true
  await clock.advance(2000)
  await running
  return { code, count }
}

function scene(limits: Partial<CapsuleLimits>): { clock: VirtualClock; traffic: Traffic } {
  const clock = createVirtualClock()
  return { clock, traffic: new Traffic({ clock }, { ...DEFAULT_CAPSULE_LIMITS, ...limits }) }
}

describe('what a capsule hands to the host', () => {
  it('passes at once within its limits', async () => {
    const { traffic } = scene({ bytesPerSecondMax: 1000, callsPerSecondMax: 10 })
    await traffic.takeFrame({ bytes: 1000, kind: 'output' }, signal)
    await traffic.takeCalls(10, signal)
    assert.equal(traffic.outputBytes, 1000)
  })

  it('waits when there are more messages in a second than may be, and nothing is lost', async () => {
    const { clock, traffic } = scene({ callsPerSecondMax: 10 })
    const { code, count } = await flood(clock, 30_000, () => traffic.takeCalls(1, signal))
    assert.equal(code, undefined)
    assert(count >= 300 && count <= 320, String(count))
  })

  it('waits when there are more bytes in a second than may be', async () => {
    const { clock, traffic } = scene({ bytesPerSecondMax: 1000 })
    const take = (): Promise<void> => traffic.takeFrame({ bytes: 100, kind: 'output' }, signal)
    const { code, count } = await flood(clock, 30_000, take)
    assert.equal(code, undefined)
    assert(count >= 300 && count <= 320, String(count))
  })

  it('ends one that floods its channel for a minute without a pause', async () => {
    const { clock, traffic } = scene({ callsPerSecondMax: 10 })
    const { code } = await flood(clock, 62_000, () => traffic.takeCalls(1, signal))
    assert.equal(code, 'ERR_CAPSULE_RATE_LIMIT')
  })

  it('ends one that floods with bytes for a minute without a pause, calls on files too', async () => {
    const { clock, traffic } = scene({ bytesPerSecondMax: 1000 })
    const take = (): Promise<void> => traffic.takeFrame({ bytes: 100, kind: 'file' }, signal)
    const { code } = await flood(clock, 62_000, take)
    assert.equal(code, 'ERR_CAPSULE_RATE_LIMIT')
  })

  it('goes on for ever with a pause now and then', async () => {
    const { clock, traffic } = scene({ callsPerSecondMax: 10 })
    for (let round = 0; round < 5; round += 1) {
      const { code } = await flood(clock, 40_000, () => traffic.takeCalls(1, signal))
      assert.equal(code, undefined)
      await clock.advance(2000)
    }
  })

  it('ends one that writes more in all than it may; calls on files do not count', async () => {
    const { traffic } = scene({ outputBytesMax: 1000 })
    await traffic.takeFrame({ bytes: 5000, kind: 'file' }, signal)
    await traffic.takeFrame({ bytes: 1000, kind: 'output' }, signal)
    await assert.rejects(traffic.takeFrame({ bytes: 1, kind: 'output' }, signal), {
      code: 'ERR_CAPSULE_OUTPUT_LIMIT'
    })
  })

  it('counts messages on the channel as output, and a recording not', async () => {
    const { traffic } = scene({})
    await traffic.takeFrame({ bytes: 10, kind: 'call' }, signal)
    await traffic.takeFrame({ bytes: 5000, kind: 'trace' }, signal)
    assert.equal(traffic.outputBytes, 10)
  })

  it('lets a message on the channel pass while output waits for its turn', async () => {
    const clock = createVirtualClock()
    const shared = new Rate(clock, 1000)
    const [loud, quiet] = [0, 1].map(() => new Traffic({ clock, shared }, DEFAULT_CAPSULE_LIMITS))
    const taken = loud!.takeFrame({ bytes: 60_000, kind: 'output' }, signal)
    await quiet!.takeFrame({ bytes: 100, kind: 'call' }, signal)
    await clock.advance(60_000)
    await taken
  })

  it('is shared: many that flood together get no more than one', async () => {
    const clock = createVirtualClock()
    const shared = new Rate(clock, 1000)
    const all = Array.from({ length: 5 }, () => new Traffic({ clock, shared }, DEFAULT_CAPSULE_LIMITS))
    let isOver = false
    const sent = all.map(() => 0)
    const running = all.map(async (traffic, index) => {
      while (!isOver) {
        await traffic.takeFrame({ bytes: 100, kind: 'output' }, signal)
        sent[index] = (sent[index] ?? 0) + 1
      }
    })
    await clock.advance(10_000)
    isOver = true
    await clock.advance(2000)
    await Promise.all(running)
    const total = sent.reduce((sum, count) => sum + count, 0)
    assert(total <= 120, sent.join())
    assert(Math.min(...sent) > 0, sent.join())
  })
})

describe('what a node takes of all its capsules', () => {
  /** A clock whose timers come `lateMs` late, as those of a process do that has too much to do. */
  function lateClock(clock: VirtualClock, lateMs: () => number): Clock {
    return { ...clock, after: (durationMs, task) => clock.after(durationMs + lateMs(), task) }
  }

  it('is less while the node is late with its other work, never nothing, and all of it again afterwards', async () => {
    const clock = createVirtualClock()
    let lateMs = 0
    const output = new SharedOutput(lateClock(clock, () => lateMs))
    const flooding = async (durationMs: number): Promise<void> => {
      for (let passed = 0; passed < durationMs; passed += 100) {
        const taken = output.take(1000, signal)
        await clock.advance(100)
        await taken
      }
    }
    await flooding(5000)
    const most = output.bytesPerSecond
    lateMs = 100
    await flooding(5000)
    assert(output.bytesPerSecond > 0 && output.bytesPerSecond <= most / 16, String(output.bytesPerSecond))
    lateMs = 0
    await flooding(10_000)
    assert.equal(output.bytesPerSecond, most)
    await clock.advance(1000)
    assert.equal(clock.pendingCount(), 0, 'no timer runs while nothing comes')
  })
})
