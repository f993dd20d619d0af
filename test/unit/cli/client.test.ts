import assert from 'node:assert/strict'
import { encodeJsonLine, type ControlEvent } from '#contracts'
import { createControlClient } from '../../../cli/client.ts'
import type { ControlClient } from '../../../cli/context.ts'
import { createOutput, type Output } from '../../support/output.ts'
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

interface FakeNode {
  readonly client: ControlClient
  readonly clock: VirtualClock
  /** What the command sent. */
  readonly asked: Output
  answer(message: object): void
  hangUp(): void
}

function createFakeNode(): FakeNode {
  const incoming = new TransformStream<Uint8Array, Uint8Array>()
  const writer = incoming.writable.getWriter()
  const asked = createOutput()
  const hangUp = (): void => void writer.close().catch(() => undefined)
  const clock = createVirtualClock()
  const socket = {
    incoming: incoming.readable,
    write: async (text: string) => {
      asked.push(text)
      await Promise.resolve()
    },
    close: hangUp
  }
  const client = createControlClient(socket, clock)
  return {
    client,
    clock,
    asked,
    answer: (message) =>
      void writer.write(Buffer.from(encodeJsonLine({ jsonrpc: '2.0', ...message }))).catch(() => undefined),
    hangUp
  }
}

const notice = (text: string): ControlEvent => ({ kind: 'notice', text })

describe('the client of the control protocol', () => {
  it('hands each answer to its call, in whatever order they come', async () => {
    const { client, answer } = createFakeNode()
    const first = client.call('content.unpin', { target: 'a' })
    const second = client.call('content.unpin', { target: 'b' })
    answer({ id: 2, result: { cid: 'b' } })
    answer({ id: 1, result: { cid: 'a' } })
    assert.deepEqual([await first, await second], [{ cid: 'a' }, { cid: 'b' }])
  })

  it('keeps the code, the sentence and what mends it of a failure', async () => {
    const { client, answer } = createFakeNode()
    const call = client.call('node.status', {})
    answer({ id: 1, error: { message: 'no', data: { code: 'ERR_SOME', detail: ['do this'] } } })
    await assert.rejects(call, { code: 'ERR_SOME', message: 'no', detail: ['do this'] })
  })

  it('fails what is under way, and what comes later, when the node goes away', async () => {
    const { client, hangUp } = createFakeNode()
    const call = client.call('node.status', {})
    hangUp()
    await assert.rejects(call, { code: 'ERR_NODE_UNREACHABLE' })
    await assert.rejects(client.call('node.status', {}), { code: 'ERR_NODE_UNREACHABLE' })
  })

  it('says that the node is gone when it was killed in the middle of a call', async () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    const incoming = new ReadableStream<Uint8Array>({ pull: (stream) => stream.error(reset) })
    const socket = { incoming, write: async () => await Promise.resolve(), close: () => undefined }
    const client = createControlClient(socket, createVirtualClock())
    await assert.rejects(client.call('node.status', {}), { code: 'ERR_NODE_UNREACHABLE' })
  })

  it('fails with what the node said about the connection as a whole', async () => {
    const { client, answer } = createFakeNode()
    const call = client.call('node.status', {})
    answer({ error: { message: 'too long', data: { code: 'ERR_LINE_TOO_LONG' } } })
    await assert.rejects(call, { code: 'ERR_LINE_TOO_LONG' })
  })

  it('tells the node to cancel and waits for its last word', async () => {
    const { client, asked, answer } = createFakeNode()
    const stop = new AbortController()
    const call = client.call('content.list', { target: 'x' }, { signal: stop.signal })
    stop.abort()
    const sent = JSON.parse(await asked.line((line) => line.includes('"cancel"'))) as { params: unknown }
    assert.deepEqual(sent.params, { call: 1 })
    answer({ id: 1, error: { message: 'cancelled', data: { code: 'ERR_CANCELLED' } } })
    await assert.rejects(call, { code: 'ERR_CANCELLED' })
  })

  it('does not wait for ever for a node that hangs', async () => {
    const { client, clock } = createFakeNode()
    const refused = assert.rejects(client.call('node.status', {}), { code: 'ERR_DEADLINE' })
    await clock.advance(60_000)
    await refused
    assert.equal(clock.pendingCount(), 0)
  })

  it('does not wait for ever for a node that hangs to take in a cancellation', async () => {
    const { client, clock } = createFakeNode()
    const stop = new AbortController()
    const call = client.call('content.list', { target: 'x' }, { signal: stop.signal })
    const refused = assert.rejects(call, { code: 'ERR_DEADLINE' })
    await clock.advance(3_600_000)
    stop.abort()
    await clock.advance(60_000)
    await refused
  })

  it('reads no further while an event is being shown', async () => {
    const { client, answer } = createFakeNode()
    const shown: string[] = []
    const mayGoOn = Promise.withResolvers<undefined>()
    const began = Promise.withResolvers<undefined>()
    const onEvent = async (event: ControlEvent): Promise<void> => {
      shown.push(event.kind === 'notice' ? event.text : event.kind)
      began.resolve(undefined)
      await mayGoOn.promise
    }
    const call = client.call('content.unpin', { target: 'a' }, { onEvent })
    answer({ method: 'event', params: { call: 1, event: notice('one') } })
    answer({ method: 'event', params: { call: 1, event: notice('two') } })
    answer({ id: 1, result: { cid: 'a' } })
    await began.promise
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(shown, ['one'])
    mayGoOn.resolve(undefined)
    await call
    assert.deepEqual(shown, ['one', 'two'])
  })

  it('sends input when the node has taken the one before', async () => {
    const { client, asked, answer } = createFakeNode()
    const call = client.open('chat.join', { room: 'r', nick: 'n' }, { onEvent: () => undefined })
    const said = call.send({ kind: 'text', text: 'hi' })
    const sent = JSON.parse(await asked.line((line) => line.includes('"input"'))) as Record<string, unknown>
    assert.deepEqual(sent['params'], { call: 1, input: { kind: 'text', text: 'hi' } })
    answer({ id: sent['id'], result: {} })
    await said
    answer({ id: 1, result: { room: 'r' } })
    assert.deepEqual(await call.result, { room: 'r' })
  })
})
