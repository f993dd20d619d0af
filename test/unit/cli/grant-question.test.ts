import assert from 'node:assert/strict'
import type { QuestionStatus } from '#contracts'
import { describeAnswers, describeQuestion, readReply } from '../../../cli/grant-question.ts'

const DID = 'did:key:z6MkmJDN45ec5MsYmdHTRV5YExnQkeGrhwHhXHf6tmCMAGfz'
const QUESTION: QuestionStatus = {
  id: '1f3a',
  lineage: `${DID}/notes`,
  name: 'notes',
  version: '1.0.0',
  publisher: DID,
  petname: 'alice',
  command: 'localhost/read',
  summary: 'read a file',
  resource: 'localhost://notes/*',
  choices: [],
  reason: 'to show your notes',
  manifestReason: 'To show and keep your notes.',
  askedAtMs: 0,
  expiresAtMs: 1,
  isWaiting: true
}

describe('what a person is asked', () => {
  it('says who, what, and why, with what was not checked marked as that', () => {
    const text = describeQuestion(QUESTION, 80).join('\n')
    assert.match(text, /who +notes 1\.0\.0/)
    assert.match(text, new RegExp(`signed by ${DID}`))
    assert.match(text.replace(/\s+/g, ' '), /whom you call alice/)
    assert.match(text, /wants +to read a file \(localhost\/read\)/)
    assert.match(text, /it says +\| “to show your notes”/)
    assert.match(text, /its author +\| “To show and keep your notes\.”/)
    assert.match(text, /a claim: nobody checked it/)
  })

  it('says when nobody signed it', () => {
    const { publisher: _publisher, petname: _petname, ...own } = QUESTION
    assert.match(describeQuestion(own, 80).join('\n'), /NOBODY signed it/)
  })

  const attacks: readonly (readonly [string, string])[] = [
    ['an escape', '\u001b[2J\u001b[H\u001b]0;x\u0007'],
    ['line breaks', 'x\r\n  who       Your Bank 1.0.0\n  signed by nobody\u2028\u2029\u0085'],
    ['spaces to the next line', `x${' '.repeat(75)}who         Your Bank, signed by root`],
    ['spaces that are none', `x${'\u3000'.repeat(60)}who${'\u00a0'.repeat(9)}Your Bank`],
    ['an end of its quotes', 'x” (checked by ElastOS: safe) “'],
    ['text that runs backwards', '\u202egnihtyna wolla\u202c\u2066\u2069'],
    ['marks that cover other lines', `x${'\u0300'.repeat(200)}`],
    ['no end', 'x'.repeat(100_000)],
    ['wide characters', '界'.repeat(500)]
  ]
  for (const [what, reason] of attacks) {
    it(`cannot be drawn on with ${what}`, () => {
      const lines = describeQuestion({ ...QUESTION, reason, manifestReason: `a${reason}` }, 80)
      assert(lines.length < 40)
      assert.equal(lines.filter((line) => /^ {2}who/.test(line)).length, 1)
      for (const line of lines) {
        assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u)
        assert.doesNotMatch(line, /\p{M}{3}/u)
        const columns = [...line].reduce((sum, character) => sum + (character > '\u00ff' ? 2 : 1), 0)
        assert(columns <= 80 + 4, `${columns} columns: ${line}`)
        const isClaim = /^ {2}(?:it says|its author)? *\|/.test(line)
        if (/Bank|safe|界|xxxx/.test(line)) assert(isClaim, `outside of a claim: ${line}`)
      }
      // Nothing inside a claim ends it.
      const claims = lines.filter((line) => line.includes('|')).join('')
      assert.equal(claims.match(/[“”]/g)?.length, 4)
    })
  }

  it('offers what can be picked by number', () => {
    const choices = [{ label: 'a\u001b[0m.txt', resource: 'localhost://notes/a.txt' }]
    const lines = describeAnswers({ ...QUESTION, pick: 'file', choices })
    assert(lines.some((line) => /^ {2}1 {2}a\ufffd\[0m\.txt/.test(line)))
    assert(!lines.some((line) => line.includes('always')))
  })
})

describe('what a person answers', () => {
  const answerOf = (line: string | undefined, question = QUESTION): unknown => {
    const reply = readReply(line, question)
    return reply.kind === 'answer' ? reply.answer : reply
  }

  it('is no when nothing was typed, or the input ended', () => {
    for (const line of ['', '  ', undefined, 'n', 'No']) {
      assert.deepEqual(answerOf(line), { isAllowed: false, isDurable: false })
    }
  })

  it('is never, or no to all', () => {
    assert.deepEqual(answerOf('never'), { isAllowed: false, isDurable: true })
    assert.deepEqual(answerOf('all'), { isAllowed: false, isDurable: false, isAll: true })
  })

  it('is yes for as long as was typed', () => {
    for (const [line, scope] of [
      ['o', 'once'],
      ['once', 'once'],
      ['s', 'session'],
      ['d', 'day'],
      ['Always', 'always']
    ] as const) {
      assert.deepEqual(answerOf(line), { isAllowed: true, scope })
    }
  })

  it('is no yes by accident: neither y nor a letter of always', () => {
    for (const line of ['y', 'yes', 'a', 'ok', 'sure', '1', 'o s'])
      assert.equal(readReply(line, QUESTION).kind, 'hint')
  })

  it('narrows what is allowed', () => {
    assert.deepEqual(readReply('only localhost://notes/a.txt', QUESTION), {
      kind: 'narrow',
      resource: 'localhost://notes/a.txt'
    })
  })

  it('picks by number or by name, and only what is offered', () => {
    const choices = [{ label: 'a', resource: 'localhost://notes/a' }]
    const pick = { ...QUESTION, pick: 'file' as const, choices }
    assert.deepEqual(readReply('1', pick), { kind: 'narrow', resource: 'localhost://notes/a' })
    assert.equal(readReply('2', pick).kind, 'hint')
    assert.equal(readReply('always', pick).kind, 'hint')
    assert.deepEqual(readReply('b.txt', pick), { kind: 'narrow', resource: 'localhost://notes/b.txt' })
    assert.deepEqual(readReply('n', pick), { kind: 'answer', answer: { isAllowed: false, isDurable: false } })
  })
})
