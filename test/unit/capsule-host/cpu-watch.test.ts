import assert from 'node:assert/strict'
import { CpuWatch } from '../../../capsule-host/process/cpu-watch.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

interface Scene {
  readonly clock: VirtualClock
  readonly watch: CpuWatch
  /** The share of a processor it uses from now on, and that of the time in which it is not let run though it would. */
  use(share: number, waitingShare?: number): void
  readonly niceness: readonly number[]
  readonly looks: () => number
  /** When its time was used up, by the clock. */
  readonly usedUpAtMs: () => number | undefined
}

/** A process that had used some processor time before it was watched. */
function scene(cpuMsMax: number, init: { isHidden?: boolean } = {}): Scene {
  const clock = createVirtualClock()
  const niceness: number[] = []
  let [share, waitingShare, usedMs, waitedMs, sinceMs, looks] = [0, 0, 230, 0, 0, 0]
  let usedUpAtMs: number | undefined
  const settle = (): void => {
    usedMs += (clock.monotonicMs() - sinceMs) * share
    waitedMs += (clock.monotonicMs() - sinceMs) * waitingShare
    sinceMs = clock.monotonicMs()
  }
  const powers = {
    processorTimes: () => {
      looks += 1
      settle()
      if (init.isHidden === true) return undefined
      return { usedMs: Math.floor(usedMs / 10) * 10, activeMs: usedMs + waitedMs }
    },
    yieldSession: async (_pid: number, value: number) => void niceness.push(value)
  }
  const watch = new CpuWatch(
    { clock, powers },
    { pid: Promise.resolve(77), cpuMsMax, onUsedUp: () => (usedUpAtMs = clock.monotonicMs()) }
  )
  const use = (ran: number, waited = 0): void => {
    settle()
    ;[share, waitingShare] = [ran, waited]
  }
  return { clock, watch, use, niceness, looks: () => looks, usedUpAtMs: () => usedUpAtMs }
}

describe('the watch over processor time', () => {
  it('says within 20 ms that it is used up, not counting what was used before', async () => {
    const { clock, watch, use, usedUpAtMs } = scene(1000)
    use(1)
    await clock.advance(3000)
    assert(usedUpAtMs()! >= 1000 && usedUpAtMs()! <= 1020, String(usedUpAtMs()))
    watch[Symbol.dispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('says so for a process on several processors too', async () => {
    const { clock, watch, use, usedUpAtMs } = scene(1000)
    use(2)
    await clock.advance(3000)
    assert(usedUpAtMs()! >= 500 && usedUpAtMs()! <= 520, String(usedUpAtMs()))
    watch[Symbol.dispose]()
  })

  it('does not count time that only passes', async () => {
    const { clock, watch, usedUpAtMs } = scene(1000)
    await clock.advance(60_000)
    assert.equal(usedUpAtMs(), undefined)
    watch[Symbol.dispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('looks seldom at one at rest, even just before its limit', async () => {
    const { clock, watch, use, looks } = scene(1000)
    use(1)
    await clock.advance(980)
    use(0)
    const before = looks()
    await clock.advance(10_000)
    assert(looks() - before < 110, String(looks() - before))
    watch[Symbol.dispose]()
  })

  it('makes a busy one yield to others, and takes that back when it rests', async () => {
    const { clock, watch, use, niceness } = scene(3_600_000)
    use(0.1)
    await clock.advance(10_000)
    assert.deepEqual(niceness, [])
    use(1)
    await clock.advance(10_000)
    assert.deepEqual(niceness, [19])
    use(0.05)
    await clock.advance(10_000)
    assert.deepEqual(niceness, [19, 15])
    watch[Symbol.dispose]()
  })

  it('sees that one is busy though so many are that it hardly runs', async () => {
    const { clock, watch, use, niceness } = scene(3_600_000)
    use(0.02, 0.5)
    await clock.advance(10_000)
    assert.deepEqual(niceness, [])
    use(0.02, 0.97)
    await clock.advance(10_000)
    assert.deepEqual(niceness, [19])
    watch[Symbol.dispose]()
  })

  it('leaves it to the kernel where the system does not say', async () => {
    const { clock, watch, use, usedUpAtMs } = scene(1000, { isHidden: true })
    use(1)
    await clock.advance(10_000)
    assert.equal(usedUpAtMs(), undefined)
    assert.equal(clock.pendingCount(), 0)
    watch[Symbol.dispose]()
  })
})
