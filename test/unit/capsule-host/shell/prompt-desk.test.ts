import assert from 'node:assert/strict'
import { createPromptDesk, type PromptDesk, type ShownQuestion, type Watcher } from '#capsule-host'
import type { GrantAnswer, GrantQuestion } from '#providers'

const LINEAGE = 'did:key:z6MkmJDN45ec5MsYmdHTRV5YExnQkeGrhwHhXHf6tmCMAGfz/notes'
const YES: GrantAnswer = { isAllowed: true, scope: 'session', decidedBy: 'person' }
const NEVER: GrantAnswer = { isAllowed: false, isDurable: true, decidedBy: 'person' }

let ids = 0
const question = (fields: Partial<GrantQuestion> = {}): GrantQuestion => ({
  id: `q${++ids}`,
  capsule: { lineage: LINEAGE, name: 'notes', version: '1.0.0', audience: 'did:key:z6Mk', isOwn: false },
  command: 'localhost/read',
  resource: 'localhost://notes/*',
  askedAtMs: 0,
  expiresAtMs: 1000,
  ...fields
})

interface Party {
  readonly desk: PromptDesk
  readonly kept: [string, GrantAnswer][]
  nowMs: number
  choices: { label: string; resource: string }[]
}

function setUp(): Party {
  const party: Omit<Party, 'desk'> = { kept: [], nowMs: 0, choices: [] }
  const desk = createPromptDesk({
    clock: { nowMs: () => party.nowMs },
    choicesOf: async () => await Promise.resolve(party.choices),
    keep: async ({ id }, answer) => {
      party.kept.push([id, answer])
      await Promise.resolve()
    }
  })
  return Object.assign(party, { desk })
}

function watcher(canAsk: boolean): Watcher & { shown: ShownQuestion[]; ended: string[]; missed: string[] } {
  const seen = { shown: [] as ShownQuestion[], ended: [] as string[], missed: [] as string[] }
  return {
    ...{ ...seen, canAsk },
    show: (shown) => void seen.shown.push(shown),
    withdraw: (id) => void seen.ended.push(id),
    refused: ({ id }) => void seen.missed.push(id)
  }
}

const { signal } = new AbortController()
const turn = async (): Promise<void> => await new Promise((done) => setImmediate(done))

describe('a question of a capsule', () => {
  it('is shown to who watches it run, and answered by them', async () => {
    const { desk } = setUp()
    const person = watcher(true)
    using _watching = desk.watch(LINEAGE, person)
    const asked = question()
    const answered = desk.ask(asked, signal)
    await turn()
    assert.equal(person.shown[0]?.question.id, asked.id)
    assert.deepEqual(await desk.answer(asked.id, YES), { isWaiting: true })
    assert.equal((await answered).isAllowed, true)
    assert.deepEqual(person.ended, [asked.id])
    assert.deepEqual(desk.pending(), [])
  })

  it('is shown to nobody who watches another capsule', async () => {
    const { desk } = setUp()
    const other = watcher(true)
    using _watching = desk.watch('did:key:z6Mk/other', other)
    const asked = question()
    const answered = desk.ask(asked, signal)
    await turn()
    assert.deepEqual(other.shown, [])
    await desk.answer(asked.id, YES)
    await answered
  })

  it('is refused at once where nobody can be asked, and can be answered for the next time', async () => {
    const { desk, kept } = setUp()
    const pipe = watcher(false)
    using _watching = desk.watch(LINEAGE, pipe)
    const asked = question()
    assert.deepEqual(await desk.ask(asked, signal), {
      isAllowed: false,
      isDurable: false,
      decidedBy: 'policy'
    })
    assert.deepEqual(pipe.missed, [asked.id])
    assert.equal(desk.pending()[0]?.isWaiting, false)
    await assert.rejects(desk.answer(asked.id, YES), { code: 'ERR_ANSWER_INVALID' })
    assert.deepEqual(await desk.answer(asked.id, { ...YES, scope: 'day' }), { isWaiting: false })
    assert.equal(kept[0]?.[0], asked.id)
    await assert.rejects(desk.answer(asked.id, NEVER), { code: 'ERR_QUESTION_UNKNOWN' })
  })

  it('waits for an answer from elsewhere while nobody watches, and is kept when it expires', async () => {
    const { desk } = setUp()
    const expiry = new AbortController()
    const asked = question()
    const answered = desk.ask(asked, expiry.signal)
    await turn()
    assert.equal(desk.pending()[0]?.isWaiting, true)
    expiry.abort(new Error('expired'))
    await assert.rejects(answered, /expired/)
    assert.equal(desk.pending()[0]?.isWaiting, false)
  })

  it('is kept once, however often it is missed, for a day', async () => {
    const party = setUp()
    using _watching = party.desk.watch(LINEAGE, watcher(false))
    for (let round = 0; round < 3; round++) await party.desk.ask(question(), signal)
    await party.desk.ask(question({ command: 'localhost/write' }), signal)
    assert.equal(party.desk.pending().length, 2)
    party.nowMs = 25 * 60 * 60 * 1000
    assert.deepEqual(party.desk.pending(), [])
  })

  it('does not fill the desk: of those nobody watches few wait, of those that were missed few are kept', async () => {
    const { desk } = setUp()
    const waiting: Promise<unknown>[] = []
    const stop = new AbortController()
    for (let index = 0; index < 200; index++) {
      const capsule = { ...question().capsule, lineage: `did:key:z6Mk/n${index}` }
      waiting.push(desk.ask(question({ capsule }), stop.signal).catch(() => undefined))
    }
    await turn()
    assert.equal(desk.pending().filter(({ isWaiting }) => isWaiting).length, 4)
    assert(desk.pending().length <= 64 + 4)
    const person = watcher(true)
    using _watching = desk.watch(LINEAGE, person)
    const asked = question()
    const answered = desk.ask(asked, signal)
    await turn()
    await desk.answer(asked.id, YES)
    assert.equal((await answered).isAllowed, true)
    stop.abort(new Error('over'))
    await Promise.all(waiting)
  })

  it('takes no answer that is wider than itself', async () => {
    const { desk } = setUp()
    const asked = question()
    const answered = desk.ask(asked, signal)
    await turn()
    for (const resource of ['localhost://*', 'localhost://other', 'localhost://notes/../x', 'nonsense']) {
      await assert.rejects(desk.answer(asked.id, { ...YES, resource }), { code: 'ERR_ANSWER_INVALID' })
    }
    await assert.rejects(desk.answer(asked.id, { ...YES, command: 'localhost/*' }), {
      code: 'ERR_ANSWER_INVALID'
    })
    await desk.answer(asked.id, { ...YES, resource: 'localhost://notes/a' })
    const answer = await answered
    assert(answer.isAllowed)
    assert.equal(answer.resource, 'localhost://notes/a')
  })

  it('that wants one thing picked shows what there is, and takes exactly one', async () => {
    const party = setUp()
    party.choices = Array.from({ length: 500 }, (_, index) => ({
      label: `f${index}`,
      resource: `localhost://notes/f${index}`
    }))
    const person = watcher(true)
    using _watching = party.desk.watch(LINEAGE, person)
    const asked = question({ pick: 'file' })
    const answered = party.desk.ask(asked, signal)
    await turn()
    assert.equal(person.shown[0]?.choices.length, 100)
    await assert.rejects(party.desk.answer(asked.id, YES), { code: 'ERR_ANSWER_INVALID' })
    await party.desk.answer(asked.id, { ...YES, resource: 'localhost://notes/f7' })
    const answer = await answered
    assert(answer.isAllowed)
    assert.equal(answer.resource, 'localhost://notes/f7')
  })
})
