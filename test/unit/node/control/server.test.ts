import assert from 'node:assert/strict'
import { encodeJsonLine, silentLogger, CONTROL_LIMITS, CONTROL_VERSION } from '#contracts'
import { createOutput, type Output } from '../../../support/output.ts'
import {
  serveControlConnection,
  type CallContext,
  type ControlConnection,
  type ControlHandlers
} from '../../../../node/control/server.ts'

/** A caller over a pipe in memory. */
interface Caller {
  readonly answers: Output
  readonly served: Promise<void>
  send(message: object): void
  sendBytes(bytes: Uint8Array): void
  hangUp(): void
  /** What the server does when the node stops. */
  stop(): void
}

/** Serves one caller with handlers for the methods the test needs. */
function serve(handlers: Partial<Record<string, (params: never, context: CallContext) => unknown>>): Caller {
  const incoming = new TransformStream<Uint8Array, Uint8Array>()
  const writer = incoming.writable.getWriter()
  const answers = createOutput()
  const stopping = new AbortController()
  let isClosed = false
  const close = (): void => {
    if (isClosed) return
    isClosed = true
    answers.close()
    void writer.close().catch(() => undefined)
  }
  const connection: ControlConnection = {
    incoming: incoming.readable,
    write: async (text) => {
      if (isClosed) throw new Error('closed')
      answers.push(text)
      await Promise.resolve()
    },
    close
  }
  const served = serveControlConnection(connection, {
    handlers: handlers as unknown as ControlHandlers,
    logger: silentLogger,
    signal: stopping.signal
  })
  const sendBytes = (bytes: Uint8Array): void => void writer.write(bytes).catch(() => undefined)
  return {
    answers,
    served,
    sendBytes,
    send: (message) => sendBytes(Buffer.from(encodeJsonLine({ jsonrpc: '2.0', ...message }))),
    hangUp: close,
    stop: () => stopping.abort()
  }
}

/** Waits for the answer to request `id`. */
async function answerOf(caller: Caller, id: number): Promise<Record<string, unknown>> {
  const line = await caller.answers.line((text) => (JSON.parse(text) as { id?: unknown }).id === id)
  return JSON.parse(line) as Record<string, unknown>
}

function codeOf(answer: Record<string, unknown>): string {
  return (answer['error'] as { data: { code: string } }).data.code
}

/** A handler that runs until it is cancelled and then rejects with the reason. */
function untilAborted(began: () => void, ended: (reason: unknown) => Promise<void> = async () => undefined) {
  return async (_params: never, { signal }: CallContext): Promise<never> => {
    began()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await ended(signal.reason)
    throw signal.reason
  }
}

const STATUS = { method: 'node.status', params: {}, version: CONTROL_VERSION }

describe('the control server', () => {
  it('answers a call with its result, its events before it', async () => {
    const caller = serve({
      'node.status': async (_params, { emit }) => {
        await emit({ kind: 'notice', text: 'first' })
        return { ok: true }
      }
    })
    caller.send({ id: 7, ...STATUS })
    assert.deepEqual((await answerOf(caller, 7))['result'], { ok: true })
    assert.deepEqual(
      caller.answers.lines().map((line) => (JSON.parse(line) as { method?: string }).method ?? 'answer'),
      ['event', 'answer']
    )
    caller.hangUp()
    await caller.served
  })

  it('answers what it refuses under the id of the request, so that nobody waits for ever', async () => {
    const caller = serve({})
    caller.send({ id: 1, method: 'node.unheard-of', params: {}, version: CONTROL_VERSION })
    caller.send({
      id: 2,
      method: 'node.connect',
      params: { address: 'x'.repeat(600) },
      version: CONTROL_VERSION
    })
    caller.send({ id: 3, ...STATUS, version: CONTROL_VERSION + 1 })
    caller.send({ id: 4, method: 'node.status', params: { more: 1 }, version: CONTROL_VERSION })
    assert.equal(codeOf(await answerOf(caller, 1)), 'ERR_METHOD_UNKNOWN')
    assert.equal(codeOf(await answerOf(caller, 2)), 'ERR_CONTROL_MESSAGE')
    assert.equal(codeOf(await answerOf(caller, 3)), 'ERR_CONTROL_VERSION')
    assert.equal(codeOf(await answerOf(caller, 4)), 'ERR_CONTROL_MESSAGE')
    caller.hangUp()
    await caller.served
  })

  it('carries the code, the sentence and what mends it of a failure', async () => {
    const caller = serve({
      'node.status': async () => {
        throw Object.assign(new Error('no luck'), { code: 'ERR_SOME', detail: ['try again'] })
      }
    })
    caller.send({ id: 1, ...STATUS })
    assert.deepEqual((await answerOf(caller, 1))['error'], {
      code: -32000,
      message: 'no luck',
      data: { code: 'ERR_SOME', detail: ['try again'] }
    })
    caller.hangUp()
    await caller.served
  })

  it('cancels a call when its caller asks, and only that one', async () => {
    const began = Promise.withResolvers<undefined>()
    const caller = serve({
      'node.peers': untilAborted(() => began.resolve(undefined)),
      'node.status': async () => ({ ok: true })
    })
    caller.send({ id: 1, method: 'node.peers', params: {}, version: CONTROL_VERSION })
    await began.promise
    caller.send({ method: 'cancel', params: { call: 1 } })
    assert.equal(codeOf(await answerOf(caller, 1)), 'ERR_CANCELLED')
    caller.send({ id: 2, ...STATUS })
    assert.deepEqual((await answerOf(caller, 2))['result'], { ok: true })
    caller.hangUp()
    await caller.served
  })

  for (const way of ['hangUp', 'stop'] as const) {
    it(`ends only when the calls it left have ended (${way})`, async () => {
      const began = Promise.withResolvers<undefined>()
      const mayEnd = Promise.withResolvers<undefined>()
      const tidied = Promise.withResolvers<undefined>()
      let isTidy = false
      const caller = serve({
        'node.peers': untilAborted(
          () => began.resolve(undefined),
          async () => {
            tidied.resolve(undefined)
            await mayEnd.promise
            isTidy = true
          }
        )
      })
      caller.send({ id: 1, method: 'node.peers', params: {}, version: CONTROL_VERSION })
      await began.promise
      caller[way]()
      await tidied.promise
      const first = await Promise.race([
        caller.served.then(() => 'served'),
        new Promise((resolve) => setImmediate(() => resolve('waiting')))
      ])
      assert.equal(first, 'waiting')
      mayEnd.resolve(undefined)
      await caller.served
      assert.ok(isTidy)
    })
  }

  it('refuses more calls than a connection may have under way', async () => {
    const caller = serve({ 'node.peers': untilAborted(() => undefined) })
    for (let id = 1; id <= CONTROL_LIMITS.callsMax + 1; id++) {
      caller.send({ id, method: 'node.peers', params: {}, version: CONTROL_VERSION })
    }
    assert.equal(codeOf(await answerOf(caller, CONTROL_LIMITS.callsMax + 1)), 'ERR_CONTROL_BUSY')
    caller.hangUp()
    await caller.served
  })

  it('refuses input that nobody takes, and goes on', async () => {
    const caller = serve({ 'capsule.run': untilAborted(() => undefined), 'node.status': async () => ({}) })
    caller.send({ id: 1, method: 'capsule.run', params: { target: 'x', args: [] }, version: CONTROL_VERSION })
    const input = { call: 1, input: { kind: 'stdin-end' } }
    for (let id = 2; id <= CONTROL_LIMITS.callsMax + 2; id++)
      caller.send({ id, method: 'input', params: input })
    assert.equal(codeOf(await answerOf(caller, CONTROL_LIMITS.callsMax + 2)), 'ERR_CONTROL_BUSY')
    caller.send({ id: 99, ...STATUS })
    await answerOf(caller, 99)
    caller.hangUp()
    await caller.served
  })

  it('hands input to its call in order', async () => {
    const caller = serve({
      'chat.join': async (_params, { nextInput }) => [await nextInput(), await nextInput()]
    })
    caller.send({ id: 1, method: 'chat.join', params: { room: 'r', nick: 'n' }, version: CONTROL_VERSION })
    for (const [id, text] of [
      [2, 'one'],
      [3, 'two']
    ] as const) {
      caller.send({ id, method: 'input', params: { call: 1, input: { kind: 'text', text } } })
    }
    assert.deepEqual((await answerOf(caller, 1))['result'], [
      { kind: 'text', text: 'one' },
      { kind: 'text', text: 'two' }
    ])
    caller.hangUp()
    await caller.served
  })

  it('says why it hangs up on bytes that are no messages', async () => {
    const caller = serve({})
    caller.sendBytes(Buffer.from('nonsense\n'))
    await caller.served
    const [line = ''] = caller.answers.lines()
    assert.equal(codeOf(JSON.parse(line) as Record<string, unknown>), 'ERR_LINE_NOT_JSON')
  })

  it('cancels what is under way on a connection it hangs up on, even when nobody reads', async () => {
    const began = Promise.withResolvers<undefined>()
    const caller = serve({ 'node.peers': untilAborted(() => began.resolve(undefined)) })
    caller.send({ id: 1, method: 'node.peers', params: {}, version: CONTROL_VERSION })
    await began.promise
    caller.sendBytes(Buffer.alloc(CONTROL_LIMITS.lineBytesMax + 1, 0x20))
    await caller.served
  })
})
