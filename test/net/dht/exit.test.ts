import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startTestHost } from './hosts.ts'

const PROGRAM = fileURLToPath(new URL('./exit-program.ts', import.meta.url))

/** What the host leaves behind in a process of its own: what would hold the process, by kind. */
async function leftovers(bootstrapPeers: readonly string[], aliveMs: number): Promise<string[]> {
  const child = fork(PROGRAM, [String(aliveMs), ...bootstrapPeers], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  let active: string[] = ['nothing was reported']
  child.on('message', (message: string[]) => {
    active = message
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  assert.equal(code, 0)
  return active.filter((kind) => kind !== 'PipeWrap')
}

describe('disposing a host', () => {
  it('leaves no timer and no socket, however busy the host was', async () => {
    await using seed = await startTestHost({ role: 'seed' })
    const gone = await startTestHost()
    const [deadAddress = ''] = gone.addresses()
    await gone[Symbol.asyncDispose]()
    // at once, while it is joining; a little later; and when all of its timers run
    for (const aliveMs of [0, 100, 1_500]) {
      assert.deepEqual(
        await leftovers([...seed.addresses(), deadAddress], aliveMs),
        [],
        `after ${aliveMs} ms`
      )
    }
  })
})
