import assert from 'node:assert/strict'
import { systemClock } from '#contracts'
import type { Host, TopicMessage, TopicVerdict } from '#dht'
import { startTestHost, until } from './hosts.ts'

const TOPIC = '/elastos/test/room'

/** Hosts that all know the first one. */
async function startStar(stack: AsyncDisposableStack, count: number): Promise<Host[]> {
  const seed = stack.use(await startTestHost({ role: 'seed' }))
  const bootstrapPeers = seed.addresses()
  const others: Host[] = []
  for (let index = 1; index < count; index += 1) {
    others.push(stack.use(await startTestHost({ bootstrapPeers })))
  }
  await until(() => others.every((host) => host.peers().length > 0))
  return [seed, ...others]
}

function collect(host: Host, topic: string): Disposable & { messages: TopicMessage[] } {
  const messages: TopicMessage[] = []
  const subscription = host.pubsub.subscribe(topic, (message) => {
    messages.push(message)
    return 'accept'
  })
  return Object.assign(subscription, { messages })
}

describe('pubsub', () => {
  it('carries each message once to every other member, and not back', async () => {
    await using stack = new AsyncDisposableStack()
    const hosts = await startStar(stack, 6)
    const inboxes = hosts.map((host) => stack.use(collect(host, TOPIC)))
    await until(() => hosts.every((host) => host.pubsub.peersOf(TOPIC).length > 0))
    for (const [index, host] of hosts.entries()) {
      await host.pubsub.publishUntilHeard(TOPIC, Uint8Array.of(index))
    }
    await until(() => inboxes.every(({ messages }) => messages.length === hosts.length - 1))
    for (const [index, { messages }] of inboxes.entries()) {
      const heard = messages.map(({ bytes }) => bytes[0]).toSorted()
      assert.deepEqual(
        heard,
        [0, 1, 2, 3, 4, 5].filter((from) => from !== index)
      )
    }
  })

  it('forwards what is accepted and nothing else', async () => {
    await using stack = new AsyncDisposableStack()
    const [middle, right] = await startStar(stack, 2)
    assert.ok(middle && right)
    // who found the other one would tell it all, and nothing would have to be forwarded
    const isDenied = (did: string): boolean => did === right.did
    const left = stack.use(await startTestHost({ bootstrapPeers: middle.addresses(), isDenied }))
    const verdicts: readonly TopicVerdict[] = ['ignore', 'reject', 'accept']
    stack.use(middle.pubsub.subscribe(TOPIC, ({ bytes }) => verdicts[bytes[0] ?? 0] ?? 'ignore'))
    const atRight = stack.use(collect(right, TOPIC))
    stack.use(collect(left, TOPIC))
    await until(() => middle.pubsub.peersOf(TOPIC).length === 2 && left.pubsub.peersOf(TOPIC).length === 1)
    for (const index of verdicts.keys()) await left.pubsub.publishUntilHeard(TOPIC, Uint8Array.of(index))
    await until(() => atRight.messages.length > 0)
    assert.deepEqual(
      atRight.messages.map(({ bytes }) => verdicts[bytes[0] ?? 0]),
      ['accept']
    )
  })

  it('says how many took a message, and tries until somebody does', async () => {
    await using stack = new AsyncDisposableStack()
    const [seed, host] = await startStar(stack, 2)
    assert.ok(seed && host)
    stack.use(collect(host, TOPIC))
    assert.deepEqual(await host.pubsub.publish(TOPIC, Uint8Array.of(1)), { recipients: 0 })
    const publishing = host.pubsub.publishUntilHeard(TOPIC, Uint8Array.of(1))
    const late = stack.use(collect(seed, TOPIC))
    assert.deepEqual(await publishing, { recipients: 1 })
    await until(() => late.messages.length > 0)
    const signal = AbortSignal.abort(new Error('enough'))
    const unheard = host.pubsub.publishUntilHeard('/elastos/nobody', Uint8Array.of(1), { signal })
    await assert.rejects(unheard, /enough/)
  })

  it('says a message once to who comes late, however long it was tried', async () => {
    await using stack = new AsyncDisposableStack()
    const [seed, host] = await startStar(stack, 2)
    assert.ok(seed && host)
    stack.use(collect(host, TOPIC))
    const publishing = host.pubsub.publishUntilHeard(TOPIC, Uint8Array.of(7))
    await systemClock.sleep(400)
    const late = stack.use(collect(seed, TOPIC))
    await publishing
    await host.pubsub.publishUntilHeard(TOPIC, Uint8Array.of(8))
    await until(() => late.messages.some(({ bytes }) => bytes[0] === 8))
    // what was kept for who comes is named within a second or two
    await systemClock.sleep(1_500)
    assert.deepEqual(
      late.messages.map(({ bytes }) => bytes[0]),
      [7, 8]
    )
  })

  it('tells who joins, and keeps no topic of other networks', async () => {
    await using stack = new AsyncDisposableStack()
    const [seed, host] = await startStar(stack, 2)
    assert.ok(seed && host)
    const joined = Promise.withResolvers<string>()
    stack.use(seed.pubsub.onPeerJoin(TOPIC, joined.resolve))
    host.libp2p.services.pubsub.subscribe('/other/topic')
    stack.use(collect(host, TOPIC))
    assert.equal(await joined.promise, host.peerId)
    assert.deepEqual(seed.pubsub.peersOf(TOPIC), [host.peerId])
    assert.deepEqual(seed.pubsub.peersOf('/other/topic'), [])
  })

  it('refuses a topic or a message out of bounds, and a second handler', async () => {
    await using host = await startTestHost()
    assert.throws(() => host.pubsub.subscribe('/other/topic', () => 'accept'), { code: 'ERR_TOPIC_INVALID' })
    using _subscription = host.pubsub.subscribe(TOPIC, () => 'accept')
    assert.throws(() => host.pubsub.subscribe(TOPIC, () => 'accept'), { code: 'ERR_TOPIC_INVALID' })
    const tooLarge = host.pubsub.publish(TOPIC, new Uint8Array(100_000))
    await assert.rejects(tooLarge, { code: 'ERR_MESSAGE_TOO_LARGE' })
  })
})
