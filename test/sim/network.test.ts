import assert from 'node:assert/strict'
import { DEAD_LINK_MS, RETRANSMISSION_MS, SEND_BUFFER_BYTES_MAX } from '../../sim/constants.ts'
import type { LinesInit } from '../../sim/lines.ts'
import { createNetwork, type Network } from '../../sim/network.ts'
import { createPipe, type Pipe } from '../../sim/pipe.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

interface Line {
  readonly clock: VirtualClock
  readonly network: Network
  readonly pipe: Pipe
  /** What arrived, and when. */
  readonly arrived: [what: string, atMs: number][]
  /** When the sender was told to go on. */
  readonly drained: number[]
  send(what: string, byteLength?: number): boolean
  /** What became of the connection that the pipe is half of. */
  readonly link: { isFailed: boolean }
}

/** One direction between `a` and `b`; 10 ms and 1,000 bytes a millisecond unless told. */
function createLine(init: Partial<LinesInit> = {}): Line {
  const clock = createVirtualClock()
  const settings = { seed: 1, latencyMs: { min: 10, max: 10 }, bandwidthBytesPerMs: 1_000, ...init }
  const network = createNetwork(clock, { add: () => undefined }, settings)
  const arrived: Line['arrived'] = []
  const drained: number[] = []
  const link = { isFailed: false }
  const now = (): number => clock.monotonicMs()
  const pipe = createPipe(clock, network.conditions('a', 'b'), () => drained.push(now()))
  const fail = (): void => void (link.isFailed = true)
  network.add({ from: 'a', to: 'b', mend: () => pipe.mend(), fail })
  const send = (what: string, byteLength = 0): boolean =>
    pipe.send(byteLength, () => arrived.push([what, now()]))
  return { clock, network, pipe, arrived, drained, send, link }
}

describe('a simulated network', () => {
  it('takes the time of the way and of the bytes', async () => {
    const line = createLine()
    line.send('first', 5_000)
    line.send('second', 1_000)
    await line.clock.advance(14)
    assert.equal(line.arrived.length, 0)
    await line.clock.advance(10)
    assert.deepEqual(line.arrived, [
      ['first', 15],
      ['second', 16]
    ])
  })

  it('draws the way of each pair from the seed, the same in both directions', () => {
    const wayMs = (seed: number, from: string, to: string): number =>
      createLine({ seed, latencyMs: { min: 5, max: 100 } })
        .network.conditions(from, to)
        .delayMs(0)
    assert.equal(wayMs(1, 'a', 'b'), wayMs(1, 'b', 'a'))
    assert.notEqual(wayMs(1, 'a', 'b'), wayMs(1, 'a', 'c'))
    assert.notEqual(wayMs(1, 'a', 'b'), wayMs(2, 'a', 'b'))
    for (let seed = 0; seed < 50; seed++) {
      const ms = wayMs(seed, 'a', 'b')
      assert.ok(ms >= 5 && ms <= 100, `${ms} ms with seed ${seed}`)
    }
  })

  it('makes a loss a delay: everything comes, in order, and late', async () => {
    const line = createLine({ packetLossRatio: 0.3 })
    const sent = Array.from({ length: 50 }, (_, index) => String(index))
    for (const what of sent) line.send(what, 100)
    await line.clock.advance(60_000)
    assert.deepEqual(
      line.arrived.map(([what]) => what),
      sent
    )
    assert.ok((line.arrived.at(-1)?.[1] ?? 0) > RETRANSMISSION_MS, 'nothing was lost')
  })

  it('holds back a sender that is faster than the line', async () => {
    const line = createLine()
    assert.equal(line.send('some', SEND_BUFFER_BYTES_MAX), true)
    assert.equal(line.send('too much', SEND_BUFFER_BYTES_MAX), false)
    await line.clock.advance(10_000)
    assert.equal(line.drained.length, 1)
    assert.equal(line.send('more', 1), true)
  })

  it('keeps what comes while the receiver pauses', async () => {
    const line = createLine()
    line.pipe.setPaused(true)
    line.send('waits')
    await line.clock.advance(100)
    assert.equal(line.arrived.length, 0)
    line.pipe.setPaused(false)
    await line.clock.advance(0)
    assert.deepEqual(line.arrived, [['waits', 100]])
  })

  it('lets nothing through a cut, and all of it, in order, when that is mended in time', async () => {
    const line = createLine()
    line.send('on its way')
    line.network.partition([['a'], ['b', 'c']])
    line.send('into the void')
    await line.clock.advance(DEAD_LINK_MS - 1)
    assert.equal(line.arrived.length, 0)
    line.network.heal()
    line.send('after')
    await line.clock.advance(DEAD_LINK_MS * 2)
    assert.deepEqual(
      line.arrived.map(([what]) => what),
      ['on its way', 'into the void', 'after']
    )
    assert.equal(line.arrived[0]?.[1], DEAD_LINK_MS - 1 + 10)
    assert.equal(line.link.isFailed, false)
  })

  it('fails a connection that is cut for long, and one that only another partition joins is mended', async () => {
    const line = createLine()
    line.network.partition([['a'], ['b']])
    await line.clock.advance(DEAD_LINK_MS - 1)
    line.network.partition([['a', 'b'], ['c']])
    await line.clock.advance(DEAD_LINK_MS * 2)
    assert.equal(line.link.isFailed, false)
    line.network.partition([['a'], ['b']])
    await line.clock.advance(DEAD_LINK_MS)
    assert.equal(line.link.isFailed, true)
  })

  it('answers a dial after a round trip, and never across a cut', async () => {
    const { clock, network } = createLine()
    const never = new AbortController().signal
    let answeredMs = 0
    const reached = network.reach('a', 'b', never).then(() => (answeredMs = clock.monotonicMs()))
    await clock.advance(1_000)
    await reached
    assert.equal(answeredMs, 20)
    network.partition([['a'], ['b']])
    const refused = assert.rejects(network.reach('a', 'b', never), { code: 'ERR_SIM_UNREACHABLE' })
    await clock.advance(60_000)
    await refused
    assert.equal(clock.pendingCount(), 0)
  })
})
