import assert from 'node:assert/strict'
import { decide, type ShellMode } from '#shell'
import type { GrantAnswer, GrantQuestion } from '#providers'

const QUESTION: GrantQuestion = {
  id: 'q1',
  capsule: {
    lineage: 'did:key:z6Mk/notes',
    name: 'notes',
    version: '1.0.0',
    audience: 'did:key:z6Mk',
    isOwn: false
  },
  command: 'localhost/read',
  resource: 'localhost://notes/*',
  askedAtMs: 0,
  expiresAtMs: 1
}
const NO: GrantAnswer = { isAllowed: false, isDurable: true, decidedBy: 'person' }

async function ask(
  mode: ShellMode,
  question: GrantQuestion,
  said: GrantAnswer = NO
): Promise<{ answer: GrantAnswer; asked: number }> {
  let asked = 0
  const answer = await decide(question, {
    mode,
    askPerson: async () => {
      asked++
      return await Promise.resolve(said)
    }
  })
  return { answer, asked }
}

describe('the shell', () => {
  it('asks a person, and says what they said', async () => {
    assert.deepEqual(await ask('prompt', QUESTION), { answer: NO, asked: 1 })
  })

  it('allows all in development, for the run only, and says that nobody did', async () => {
    const { answer, asked } = await ask('auto', QUESTION)
    assert.deepEqual(answer, { isAllowed: true, scope: 'session', decidedBy: 'auto' })
    assert.equal(asked, 0)
  })

  it('picks nothing by itself: only a person knows which file is meant', async () => {
    for (const pick of ['file', 'person', 'room'] as const) {
      assert.equal((await ask('auto', { ...QUESTION, pick })).asked, 1)
    }
  })

  it('takes no yes to a choice in which nothing was chosen', async () => {
    const yes: GrantAnswer = { isAllowed: true, scope: 'always', decidedBy: 'person' }
    const { answer } = await ask('prompt', { ...QUESTION, pick: 'file' }, yes)
    assert.equal(answer.isAllowed, false)
  })

  it('fails when nobody can be asked, which allows nothing', async () => {
    const policy = { mode: 'prompt', askPerson: async () => await Promise.reject(new Error('gone')) } as const
    await assert.rejects(decide(QUESTION, policy), /gone/)
  })
})
