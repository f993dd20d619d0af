import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { silentLogger, systemClock } from '#contracts'
import { cidOf, RAW_CODEC } from '#content'
import { createFlow } from '../../../../content/flow/index.ts'
import { AskingChannel } from '../../../../content/stream/asking-channel.ts'
import type { Unanswered } from '../../../../content/stream/asking-channel.ts'
import type { Pipe } from '../../../../content/stream/pipe.ts'

const [FIRST, SECOND] = ['first', 'second'].map((text) => cidOf(RAW_CODEC, Buffer.from(text)))

/** A channel whose peer a test plays. */
function openChannel(): {
  channel: AskingChannel
  flowChannelsDisposed: () => number
  peerCloses: () => void
  isOpen: () => boolean
  left: () => readonly Unanswered[]
} {
  let close: (cause: Error | undefined) => void = () => undefined
  let isOpen = true
  let disposed = 0
  let left: readonly Unanswered[] = []
  const pipe: Pipe = {
    send: () => true,
    drained: async () => await Promise.resolve(),
    receive: (_onBytes, onEnd) => (close = onEnd),
    end: () => undefined,
    abort: () => (isOpen = false)
  }
  const flow = createFlow({ clock: systemClock, logger: silentLogger })
  const flowChannel = flow.open({ peerId: 'a', protocol: 'b', abandon: () => undefined })
  const channel: AskingChannel = new AskingChannel({
    pipe,
    flow: Object.assign(flowChannel, { [Symbol.dispose]: () => disposed++ }),
    onBlock: () => undefined,
    onBelow: () => undefined,
    onAbsent: () => undefined,
    onHandedBack: () => undefined,
    onAnswered: () => undefined,
    onSocketFrame: () => undefined,
    onResumed: () => undefined,
    onEnd: () => (left = channel.unanswered())
  })
  return {
    channel,
    flowChannelsDisposed: () => disposed,
    peerCloses: () => close(undefined),
    isOpen: () => isOpen,
    left: () => left
  }
}

describe('a channel to a provider', () => {
  it('gives back its share of the limits, whoever ends it', () => {
    for (const end of ['we', 'the peer']) {
      const opened = openChannel()
      if (end === 'we') opened.channel.close()
      else opened.peerCloses()
      assert.equal(opened.flowChannelsDisposed(), 1, `when ${end} end it`)
      assert.equal(opened.isOpen(), false, `when ${end} end it`)
    }
  })

  it('loses nothing of what it was asked when the peer goes', async () => {
    const opened = openChannel()
    assert.ok(FIRST !== undefined && SECOND !== undefined)
    opened.channel.ask({ roots: [FIRST], below: true })
    await nextTurn()
    opened.channel.ask({ roots: [SECOND], below: false })
    opened.peerCloses()
    assert.deepEqual(opened.left(), [
      { cids: [FIRST], below: true },
      { cids: [SECOND], below: false }
    ])
  })
})
