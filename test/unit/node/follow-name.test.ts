import assert from 'node:assert/strict'
import type { NameStatus } from '#contracts'
import { followName } from '../../../node/follow-name.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'

/** Follows a name whose answers are scripted, for as many looks as there are answers. */
async function follow(
  answers: readonly (NameStatus | Error)[]
): Promise<{ seen: string[]; troubles: string[] }> {
  const clock = createVirtualClock()
  const controller = new AbortController()
  const troubles: string[] = []
  const seen: string[] = []
  const left = [...answers]
  const following = followName({
    everyMs: 1_000,
    clock,
    signal: controller.signal,
    resolve: async () => {
      const answer = left.shift()
      if (answer === undefined) controller.abort(new Error('over'))
      controller.signal.throwIfAborted()
      if (answer instanceof Error) throw answer
      return await Promise.resolve(answer as NameStatus)
    },
    onTrouble: async (message) => {
      troubles.push(message)
      await Promise.resolve()
    }
  })
  const reading = (async () => {
    for await (const { cid, sequence } of following) seen.push(`${cid} ${sequence ?? '-'}`)
  })().catch(() => undefined)
  await clock.advance(1_000 * (answers.length + 2))
  await reading
  return { seen, troubles }
}

const at = (cid: string, sequence: string): NameStatus => ({ cid, sequence })

describe('following a name', () => {
  it('yields the value of now, then each newer one, once', async () => {
    const { seen } = await follow([at('a', '1'), at('a', '1'), at('b', '2'), at('b', '3'), at('c', '10')])
    assert.deepEqual(seen, ['a 1', 'b 2', 'c 10'])
  })

  it('never goes back to an older one', async () => {
    const { seen } = await follow([at('b', '10'), at('a', '9'), at('c', '11')])
    assert.deepEqual(seen, ['b 10', 'c 11'])
  })

  it('goes on after trouble, and says it once', async () => {
    const down = new Error('nobody answered')
    const { seen, troubles } = await follow([down, down, at('a', '1'), down, at('b', '2')])
    assert.deepEqual(seen, ['a 1', 'b 2'])
    assert.deepEqual(troubles, ['nobody answered', 'nobody answered'])
  })

  it('follows a domain from one content to another, and from one name to another', async () => {
    const by = (cid: string, domain: string, sequence?: string): NameStatus => ({
      ...{ cid, domains: ['example.org', domain] },
      ...(sequence === undefined ? {} : { sequence })
    })
    const { seen } = await follow([by('a', 'x'), by('b', 'x'), by('c', 'y', '7'), by('d', 'z', '1')])
    assert.deepEqual(seen, ['a -', 'b -', 'c 7', 'd 1'])
  })
})
