import assert from 'node:assert/strict'
import { silentLogger } from '#contracts'
import { createFlow, type Flow, type FlowChannel, type FlowInit } from '../../../../content/flow/index.ts'
import { createVirtualClock, type VirtualClock } from '../../../support/virtual-clock.ts'

const MIB = 1024 * 1024
const KIB = 1024

function makeFlow(init: FlowInit = {}): { flow: Flow; clock: VirtualClock } {
  const clock = createVirtualClock()
  return { clock, flow: createFlow({ clock, logger: silentLogger }, init) }
}

const open = (flow: Flow, peerId: string, abandon: () => void = () => undefined): FlowChannel =>
  flow.open({ peerId, protocol: '/test', abandon })

/** Sends pieces for ever and counts them; `takesMs` is how long its socket needs for one. */
function sendForEver(
  channel: FlowChannel,
  o: { bytes: number; takesMs?: number; clock: VirtualClock; signal: AbortSignal }
): { sent: number; error: unknown } {
  const state: { sent: number; error: unknown } = { sent: 0, error: undefined }
  const run = async (): Promise<void> => {
    for (;;) {
      const lease = await channel.send(o.bytes, o.signal)
      if (o.takesMs === Infinity) continue
      if (o.takesMs !== undefined) await o.clock.sleep(o.takesMs, o.signal)
      state.sent += o.bytes
      lease[Symbol.dispose]()
    }
  }
  run().catch((thrown: unknown) => (state.error = thrown))
  return state
}

describe('flow limits', () => {
  it('send at once while nothing is capped', async () => {
    const { flow } = makeFlow()
    const channel = open(flow, 'a')
    const { signal } = new AbortController()
    for (let count = 0; count < 1_000; count++) (await channel.send(MIB, signal))[Symbol.dispose]()
    assert.equal(flow.status().sentBytes, 1_000 * MIB)
    assert.equal(flow.status().sendingBytes, 0)
  })

  it('keep what is sent at the cap, and share it evenly whatever sizes peers ask for', async () => {
    const { flow, clock } = makeFlow({ upload: { total: MIB } })
    const stop = new AbortController()
    const o = { clock, signal: stop.signal }
    const large = sendForEver(open(flow, 'large'), { ...o, bytes: 100 * KIB })
    const small = sendForEver(open(flow, 'small'), { ...o, bytes: 5 * KIB })
    await clock.advance(20_000)
    stop.abort()
    const sum = large.sent + small.sent
    assert.ok(sum > 19.5 * MIB && sum < 20.8 * MIB, `${sum} bytes in 20 s`)
    assert.ok(Math.abs(large.sent - small.sent) <= 512 * KIB, `${large.sent} and ${small.sent} bytes`)
    await clock.settle()
    assert.equal(clock.pendingCount(), 0)
  })

  it('give a peer that comes late its share at once', async () => {
    const { flow, clock } = makeFlow({ upload: { total: MIB } })
    const stop = new AbortController()
    const o = { clock, signal: stop.signal, bytes: 50 * KIB }
    sendForEver(open(flow, 'early'), o)
    await clock.advance(60_000)
    const late = sendForEver(open(flow, 'late'), o)
    await clock.advance(10_000)
    stop.abort()
    assert.ok(late.sent > 4.5 * MIB && late.sent < 5.5 * MIB, `${late.sent} bytes in 10 s`)
  })

  it('hold a peer that takes nothing at its bound and never slow the rest', async () => {
    const { flow, clock } = makeFlow()
    const stop = new AbortController()
    const o = { clock, signal: stop.signal, bytes: 256 * KIB }
    for (const peer of ['dead', 'deader']) sendForEver(open(flow, peer), { ...o, takesMs: Infinity })
    const rest = sendForEver(open(flow, 'honest'), { ...o, takesMs: 10 })
    await clock.advance(10_000)
    assert.equal(rest.sent, 1_000 * 256 * KIB)
    assert.equal(flow.status().sendingBytes, 2 * 8 * MIB + 256 * KIB)
    stop.abort()
  })

  it('leave room for newcomers however many take nothing, and give those up in the end', async () => {
    const { flow, clock } = makeFlow()
    const stop = new AbortController()
    const o = { clock, signal: stop.signal, bytes: 256 * KIB }
    const abandoned = new Set<string>()
    for (let index = 0; index < 60; index++) {
      const peer = `dead-${index}`
      sendForEver(
        open(flow, peer, () => abandoned.add(peer)),
        { ...o, takesMs: Infinity }
      )
    }
    await clock.advance(100)
    const rest = sendForEver(open(flow, 'honest'), { ...o, takesMs: 10 })
    await clock.advance(2_000)
    assert.equal(rest.sent, 200 * 256 * KIB, 'no slower than alone')
    assert.ok(flow.status().sendingBytes <= 64 * MIB)
    await clock.advance(10_000)
    stop.abort()
    assert.ok(abandoned.size > 0)
    assert.equal(rest.error, undefined)
  })

  it('end the sends of a peer that was given up', async () => {
    const { flow, clock } = makeFlow({ limits: { sendingBytesMax: MIB, sendingBytesPerProtocolMax: MIB } })
    const { signal } = new AbortController()
    const dead = open(flow, 'dead')
    await dead.send(MIB, signal)
    const waits = open(flow, 'honest').send(MIB, signal)
    await clock.advance(5_000)
    await waits
    await assert.rejects(dead.send(1, signal), { code: 'ERR_FLOW_ENDED' })
    assert.equal(flow.status().abandoned, 1)
  })

  it('pause a peer that sends faster than the cap, and let two that do share it', async () => {
    const { flow, clock } = makeFlow({ download: { total: MIB } })
    const totals = { large: 0, small: 0 }
    let isOver = false
    const read = async (name: keyof typeof totals, bytes: number): Promise<void> => {
      const channel = open(flow, name)
      while (!isOver) {
        totals[name] += bytes
        await channel.received(bytes)
      }
    }
    void read('large', 128 * KIB)
    void read('small', 16 * KIB)
    await clock.advance(20_000)
    isOver = true
    const sum = totals.large + totals.small
    assert.ok(sum > 19.5 * MIB && sum < 20.8 * MIB, `${sum} bytes in 20 s`)
    assert.ok(Math.abs(totals.large - totals.small) <= MIB, `${totals.large} and ${totals.small} bytes`)
    flow[Symbol.dispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('make a peer that asks too often wait, and nobody else', async () => {
    const { flow, clock } = makeFlow({ limits: { requests: { peer: 100 } } })
    const greedy = open(flow, 'greedy')
    let answered = 0
    const isOver = (): boolean => clock.monotonicMs() >= 10_000
    const ask = async (): Promise<void> => {
      while (!isOver()) {
        await greedy.requested()
        answered++
      }
    }
    void ask()
    await clock.advance(10_000)
    assert.ok(answered >= 990 && answered <= 1_100, `${answered} answers in 10 s`)
    assert.equal(open(flow, 'honest').requested(), undefined)
    flow[Symbol.dispose]()
  })

  it('forget what a peer used only when too many came after it', async () => {
    const { flow, clock } = makeFlow({ upload: { peer: MIB } })
    const { signal } = new AbortController()
    using first = open(flow, 'a')
    await first.send(10 * MIB, signal)
    first[Symbol.dispose]()
    using second = open(flow, 'a')
    let isGranted = false
    void second.send(1, signal).then(() => (isGranted = true))
    await clock.advance(5_000)
    assert.equal(isGranted, false, 'a new stream is no way around the cap')
    await clock.advance(6_000)
    assert.equal(isGranted, true)
  })

  it('trickle under a small cap', () => {
    const { flow } = makeFlow({ upload: { total: 64 * KIB } })
    assert.equal(open(flow, 'a').pieceBytes, 8 * KIB)
    assert.equal(open(makeFlow().flow, 'a').pieceBytes, 256 * KIB)
  })

  it('end waits with the reason of the signal, and when the channel is disposed', async () => {
    const { flow, clock } = makeFlow({ upload: { total: 1_000 }, download: { total: 1_000 } })
    const stop = new AbortController()
    const channel = open(flow, 'a')
    await channel.send(100_000, stop.signal)
    const aborted = assert.rejects(channel.send(1, stop.signal), /enough/)
    stop.abort(new Error('enough'))
    await aborted
    const ended = assert.rejects(channel.send(1, new AbortController().signal), { code: 'ERR_FLOW_ENDED' })
    const paused = channel.received(100_000)
    channel[Symbol.dispose]()
    await ended
    await paused
    assert.deepEqual([flow.status().sendingBytes, flow.status().waiting], [0, 0])
    flow[Symbol.dispose]()
    assert.equal(clock.pendingCount(), 0)
  })

  it('refuse more sends of one channel than its bound', async () => {
    const { flow } = makeFlow({ upload: { total: 1 }, limits: { waitingPerChannelMax: 2 } })
    const { signal } = new AbortController()
    const channel = open(flow, 'a')
    await channel.send(1_000, signal)
    const waits = [channel.send(1, signal), channel.send(1, signal)]
    await assert.rejects(channel.send(1, signal), { code: 'ERR_FLOW_BUSY' })
    channel[Symbol.dispose]()
    for (const wait of waits) await assert.rejects(wait, { code: 'ERR_FLOW_ENDED' })
  })
})
