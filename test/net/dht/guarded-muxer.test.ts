import assert from 'node:assert/strict'
import { join } from 'node:path'
import { startProcess } from '../../support/process.ts'

describe('a peer that resets its connection', () => {
  const uncaughtIn = async (muxer: 'stock' | 'ours'): Promise<number> => {
    const program = join(import.meta.dirname, 'reset-program.ts')
    await using running = await startProcess({ command: process.execPath, args: [program, muxer] })
    const end = await running.ended
    assert.equal(end.code, 0, running.stderr.text())
    return (JSON.parse(running.stdout.text()) as { uncaught: number }).uncaught
  }

  it('stock yamux: throws where nobody catches, which would end the process', async () => {
    assert.ok((await uncaughtIn('stock')) > 0, 'the fault is gone upstream: dht/guarded-muxer.ts can go too')
  })

  it('ours: nothing is left uncaught', async () => {
    assert.equal(await uncaughtIn('ours'), 0)
  })
})
