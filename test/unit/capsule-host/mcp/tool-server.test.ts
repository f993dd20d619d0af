import assert from 'node:assert/strict'
import { systemClock } from '#contracts'
import { createToolServer, type ToolServer } from '#capsule-host'
import { createVirtualClock } from '../../../support/virtual-clock.ts'

const signal = new AbortController().signal
const HELLO = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'test', version: '1' }
}
const ADD = { name: 'add', description: 'adds', inputSchema: { type: 'object' } }

type Request = { id?: number; method: string; params?: Record<string, unknown> }
type Answers = Record<string, (request: Request) => unknown>

/** Plays the server: answers each request by its method; what is answered is written as it is when it is text. */
function play(server: ToolServer, answers: Answers): { readonly seen: Request[] } {
  const seen: Request[] = []
  const run = async (): Promise<void> => {
    for await (const bytes of server.stdin) {
      const request = JSON.parse(Buffer.from(bytes).toString()) as Request
      seen.push(request)
      const result = answers[request.method]?.(request)
      if (result === undefined) continue
      const text =
        typeof result === 'string'
          ? result
          : JSON.stringify({ jsonrpc: '2.0', id: request.id, result }) + '\n'
      // In pieces, as a pipe may cut them.
      const piece = Math.max(7, text.length / 1000)
      for (let at = 0; at < text.length; at += piece) {
        server.stdout.write(Buffer.from(text.slice(at, at + piece)))
      }
    }
  }
  void run()
  return { seen }
}

function start(answers: Answers): { server: ToolServer; seen: Request[] } {
  const server = createToolServer({ clock: systemClock })
  return { server, seen: play(server, { initialize: () => HELLO, ...answers }).seen }
}

describe('a tool server', () => {
  it('is introduced once, then lists its tools over all pages and answers calls', async () => {
    const { server, seen } = start({
      'tools/list': ({ params }) =>
        params?.['cursor'] === undefined
          ? { tools: [ADD], nextCursor: 'more' }
          : { tools: [{ ...ADD, name: 'sub' }] },
      'tools/call': ({ params }) => ({ content: [{ type: 'text', text: JSON.stringify(params) }] })
    })
    const tools = await server.listTools({ signal })
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['add', 'sub']
    )
    const answer = await server.callTool({ name: 'add', arguments: { a: 1 } }, { signal })
    assert.deepEqual(answer, {
      content: [{ type: 'text', text: '{"name":"add","arguments":{"a":1}}' }],
      isError: false
    })
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['initialize', 'notifications/initialized', 'tools/list', 'tools/list', 'tools/call']
    )
    server.close(new Error('done'))
  })

  it('that asks us for a model, for files or for a sign of life gets the last alone', async () => {
    const asked = (id: string, method: string): string =>
      JSON.stringify({ jsonrpc: '2.0', id, method }) + '\n'
    const { server, seen } = start({
      'tools/list': ({ id }) =>
        asked('s1', 'sampling/createMessage') +
        asked('s2', 'roots/list') +
        asked('s3', 'ping') +
        JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [] } }) +
        '\n'
    })
    await server.listTools({ signal })
    await new Promise((resolve) => setImmediate(resolve))
    const answers = seen.slice(-3) as unknown as { id: string; error?: { code: number }; result?: object }[]
    assert.deepEqual(
      answers.map(({ id, error, result }) => [id, error?.code ?? result]),
      [
        ['s1', -32601],
        ['s2', -32601],
        ['s3', {}]
      ]
    )
    server.close(new Error('done'))
  })

  const broken: Record<string, [Answers, string]> = {
    'says something that is no JSON': [
      { 'tools/list': () => 'Listening on port 8080\n' },
      'ERR_MCP_PROTOCOL'
    ],
    'says something without end': [{ 'tools/list': () => 'x'.repeat(1024 * 1024 + 1) }, 'ERR_MCP_PROTOCOL'],
    'answers in another version': [
      { initialize: () => ({ ...HELLO, protocolVersion: '1999-01-01' }) },
      'ERR_MCP_PROTOCOL'
    ],
    'has no tools to offer': [{ initialize: () => ({ ...HELLO, capabilities: {} }) }, 'ERR_MCP_PROTOCOL'],
    'lists tools that are none': [{ 'tools/list': () => ({ tools: [{ name: 7 }] }) }, 'ERR_MCP_PROTOCOL'],
    'lists tools for ever': [
      { 'tools/list': () => ({ tools: [ADD], nextCursor: 'again' }) },
      'ERR_MCP_PROTOCOL'
    ],
    'asks us without end': [
      { 'tools/list': () => `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })}\n`.repeat(101) },
      'ERR_MCP_PROTOCOL'
    ],
    refuses: [
      {
        'tools/list': ({ id }) =>
          JSON.stringify({ jsonrpc: '2.0', id, error: { code: -1, message: 'no\u001b[2J' } }) + '\n'
      },
      'ERR_MCP_REFUSED'
    ]
  }
  for (const [what, [answers, code]] of Object.entries(broken)) {
    it(`that ${what} fails what was asked`, async () => {
      const { server } = start(answers)
      await assert.rejects(server.listTools({ signal }), (thrown: { code: string; detail: string[] }) => {
        assert.equal(thrown.code, code)
        assert.ok(!thrown.detail.join('').includes('\u001b'))
        return true
      })
      server.close(new Error('done'))
    })
  }

  it('that never says who it is fails in time, and what is asked later too', async () => {
    const clock = createVirtualClock()
    const server = createToolServer({ clock })
    const asked = assert.rejects(server.listTools({ signal }), { code: 'ERR_MCP_TIME_LIMIT' })
    await clock.advance(30_000)
    await asked
    await assert.rejects(server.callTool({ name: 'x', arguments: {} }, { signal }), {
      code: 'ERR_MCP_TIME_LIMIT'
    })
  })

  it('is told when a call is given up', async () => {
    const stop = new AbortController()
    const { server, seen } = start({
      'tools/call': () => {
        stop.abort(new Error('enough'))
        return undefined
      }
    })
    const call = server.callTool({ name: 'slow', arguments: {} }, { signal: stop.signal })
    await assert.rejects(call, /enough/)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(seen.at(-1)?.method, 'notifications/cancelled')
    server.close(new Error('done'))
  })
})
