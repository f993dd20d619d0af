import assert from 'node:assert/strict'
import type { CliContext, ControlClient } from '../../../cli/context.ts'
import { createInputRouter } from '../../../cli/input-router.ts'
import { createRunTerminal, type RunTerminal } from '../../../cli/run-terminal.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

const LEAVE = Uint8Array.of(0x1d)
const INTERRUPT = Uint8Array.of(0x03)

function open({ stdinIsTerminal = true } = {}): {
  terminal: RunTerminal
  did: string[]
  advance: (durationMs: number) => Promise<void>
} {
  const clock = createVirtualClock()
  const did: string[] = []
  const context = {
    ...{ clock, stdinIsTerminal, onResize: () => ({ [Symbol.dispose]: () => undefined }) },
    setRawMode: () => undefined,
    stdout: { columns: 80, rows: 24, write: async () => await Promise.resolve() }
  } as unknown as CliContext
  const client = {
    call: async (method: string) => {
      did.push(method)
      return await Promise.resolve({})
    }
  } as unknown as ControlClient
  const terminal = createRunTerminal(context, client, () => did.push('interrupt'))
  terminal.started(1, 1)
  terminal.setRaw(true)
  return { terminal, did, advance: async (durationMs) => await clock.advance(durationMs) }
}

describe('the keys of who is at the terminal of a run', () => {
  it('leave it at Ctrl-], after those before it; those after it are nobody’s', async () => {
    const { terminal, did, advance } = open()
    assert.deepEqual(terminal.typed(Buffer.from('a\u001db')), Buffer.from('a'))
    assert.deepEqual(did, [])
    await advance(1000)
    assert.deepEqual(did, ['capsule.detach'])
  })

  it('end it at the third Ctrl-C in a row', () => {
    const { terminal, did } = open()
    for (const key of [INTERRUPT, INTERRUPT, Buffer.from('x'), INTERRUPT, INTERRUPT]) terminal.typed(key)
    assert.deepEqual(did, [])
    terminal.typed(INTERRUPT)
    assert.deepEqual(did, ['interrupt'])
  })

  it('do so while the capsule reads nothing', async () => {
    const { terminal, did, advance } = open()
    const keys = [...Array<Uint8Array>(100).fill(Buffer.from('x')), INTERRUPT, INTERRUPT, INTERRUPT, LEAVE]
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (const key of keys) yield await Promise.resolve(key)
    }
    const router = createInputRouter(source, (bytes) => terminal.typed(bytes))
    // its first key is on its way, and no other is asked for
    await router.forCapsule[Symbol.asyncIterator]().next()
    await advance(1000)
    assert.deepEqual(did, ['interrupt', 'capsule.detach'])
  })

  it('are bytes as any other when a pipe brings them', async () => {
    const { terminal, did, advance } = open({ stdinIsTerminal: false })
    const bytes = Uint8Array.of(3, 3, 3, 3, 0x1d, 7)
    assert.deepEqual(terminal.typed(bytes), bytes)
    await advance(1000)
    assert.deepEqual(did, [])
  })
})
