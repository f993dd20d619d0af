import assert from 'node:assert/strict'
import { createInputRouter } from '../../../cli/input-router.ts'

interface Keyboard {
  readonly source: () => AsyncIterable<Uint8Array>
  type(text: string): Promise<void>
  end(): Promise<void>
}

const turn = async (): Promise<void> => await new Promise((done) => setImmediate(done))

function keyboard(): Keyboard {
  const typed: (Uint8Array | undefined)[] = []
  let wake = Promise.withResolvers<undefined>()
  const push = async (piece: Uint8Array | undefined): Promise<void> => {
    typed.push(piece)
    wake.resolve(undefined)
    wake = Promise.withResolvers()
    await turn()
  }
  return {
    source: async function* () {
      for (;;) {
        if (typed.length === 0) await wake.promise
        const piece = typed.shift()
        if (piece === undefined) return
        yield piece
      }
    },
    type: async (text) => await push(new TextEncoder().encode(text)),
    end: async () => await push(undefined)
  }
}

async function reading(source: AsyncIterable<Uint8Array>, into: string[]): Promise<void> {
  for await (const piece of source) into.push(new TextDecoder().decode(piece))
}

const { signal } = new AbortController()

describe('input for a capsule and its questions', () => {
  it('goes to the capsule, to the question while one is open, and to the capsule again', async () => {
    const { source, type, end } = keyboard()
    const router = createInputRouter(source)
    const got: string[] = []
    const done = reading(router.forCapsule, got)
    await type('one\n')
    {
      using question = router.takeOver()
      await type('sec')
      await type('ret\nmore\n')
      assert.equal(await question.readLine(signal), 'secret')
      assert.equal(await question.readLine(signal), 'more')
      await type('left over\n')
    }
    await type('two\n')
    await end()
    await done
    assert.deepEqual(got, ['one\n', 'two\n'])
  })

  it('reaches the question of a capsule that reads nothing', async () => {
    const { source, type } = keyboard()
    const router = createInputRouter(source)
    const iterator = router.forCapsule[Symbol.asyncIterator]()
    await type('first\n')
    await iterator.next()
    for (let index = 0; index < 40; index++) await type('ahead\n')
    using question = router.takeOver()
    // What was typed ahead is the capsule's, up to what may wait for it; the rest was typed after.
    await type('yes\n')
    const lines: (string | undefined)[] = []
    while (lines.at(-1) !== 'yes') lines.push(await question.readLine(signal))
    assert.equal(lines.at(-1), 'yes')
  })

  it('that was typed before a question had settled is thrown away', async () => {
    const { source, type } = keyboard()
    const router = createInputRouter(source)
    using question = router.takeOver()
    await type('always\n')
    question.discard()
    await type('n\n')
    assert.equal(await question.readLine(signal), 'n')
  })

  it('ends a question when it ends, and a question ends with its signal', async () => {
    const { source, end } = keyboard()
    const router = createInputRouter(source)
    using question = router.takeOver()
    const stop = new AbortController()
    const line = question.readLine(stop.signal)
    stop.abort(new Error('over'))
    await assert.rejects(line, /over/)
    await end()
    assert.equal(await question.readLine(signal), undefined)
    using later = router.takeOver()
    assert.equal(await later.readLine(signal), undefined)
  })
})
