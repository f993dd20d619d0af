import assert from 'node:assert/strict'
import { promisify } from 'node:util'
import { createVirtualTimers } from '../../sim/virtual-timers.ts'

/** Runs what is due until then, one after the other. */
function runUntil({ next }: Pick<ReturnType<typeof createVirtualTimers>, 'next'>, untilMs: number): void {
  for (let ring = next(untilMs); ring !== undefined; ring = next(untilMs)) ring()
}

describe('timers of a virtual process', () => {
  it('ring in order of time, then of their making, with their arguments; immediates first', () => {
    const timers = createVirtualTimers()
    const { setTimeout, setImmediate } = timers.functions
    const rung: string[] = []
    const ring = (...words: unknown[]): void => void rung.push(`${words.join(' ')} ${timers.nowMs()}`)
    setTimeout(ring, 20, 'late')
    setTimeout(ring, 10, 'two', 'words')
    setTimeout(ring, 10, 'behind it')
    setTimeout(ring, 0, 'soon')
    setTimeout(ring, Number.NaN, 'too')
    setTimeout(ring, 2 ** 31, 'as Node has it')
    setImmediate(ring, 'now')
    runUntil(timers, 100)
    const soon = ['soon 1', 'too 1', 'as Node has it 1']
    assert.deepEqual(rung, ['now 0', ...soon, 'two words 10', 'behind it 10', 'late 20'])
  })

  it('do not ring once they were cleared, by themselves or by their number', () => {
    const timers = createVirtualTimers()
    const { setTimeout, setInterval, clearTimeout } = timers.functions
    const ring = (): void => assert.fail('cleared')
    clearTimeout(setTimeout(ring, 5))
    clearTimeout(Number(setTimeout(ring, 5)))
    clearTimeout(String(Number(setInterval(ring, 5))))
    setTimeout(ring, 5).close()
    for (const nothing of [undefined, null, {}, 'x']) clearTimeout(nothing)
    runUntil(timers, 100)
  })

  it('ring again and again until they are cleared, also by what they call, and later when refreshed', () => {
    const timers = createVirtualTimers()
    const { setTimeout, setInterval, clearInterval } = timers.functions
    const rung: number[] = []
    const often = setInterval(() => {
      rung.push(timers.nowMs())
      if (rung.length === 3) clearInterval(often)
    }, 10)
    const once = setTimeout(() => rung.push(-timers.nowMs()), 25)
    setTimeout(() => once.refresh(), 24)
    assert.equal(once.unref().hasRef(), false)
    runUntil(timers, 1_000)
    assert.deepEqual(rung, [10, 20, 30, -49])
  })

  it('are promises too, which a signal ends', async () => {
    const timers = createVirtualTimers()
    const { promises, functions } = timers
    const stop = new AbortController()
    const ended = promises.setTimeout(10, 'never', { signal: stop.signal })
    const told = [promises.setTimeout(10, 'word'), promises.setImmediate('now')]
    const asNode = promisify(functions.setTimeout) as (durationMs: number) => Promise<void>
    stop.abort(new Error('enough'))
    await assert.rejects(ended, { name: 'AbortError', code: 'ABORT_ERR' })
    const all = Promise.all([...told, asNode(3)])
    runUntil(timers, 100)
    assert.deepEqual(await all, ['word', 'now', undefined])
  })
})
