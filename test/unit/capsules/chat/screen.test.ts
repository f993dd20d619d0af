import assert from 'node:assert/strict'
import fc from 'fast-check'
import { render } from '#chat'
import { driveChat, here, member, said, type ChatDriver } from '../../../support/chat-driver.ts'

function talk(count: number, chat: ChatDriver = driveChat()): ChatDriver {
  chat.room(here('bob'))
  for (let n = 1; n <= count; n++) chat.room(said('bob', `line ${n}`))
  return chat
}

/* eslint-disable no-control-regex -- colours are control sequences */

describe('the screen', () => {
  it('shows messages, who is here, and the line being written with the cursor in it', () => {
    const chat = talk(2)
    chat.type('hello')
    const { rows, cursor, foreign } = chat.screen()
    assert.deepEqual(rows, [
      '',
      '',
      '12:30 * you are in lobby as ann; here:',
      '      bob',
      '12:30 <bob> line 1',
      '12:30 <bob> line 2',
      ' lobby · 2 here: ann, bob',
      'ann> hello'
    ])
    assert.deepEqual(cursor, { row: 7, column: 10 })
    assert.deepEqual(foreign, [])
  })

  it('scrolls back and forth, and stays where the reader is when something new comes', () => {
    const chat = talk(20)
    chat.type('\u001b[5~')
    assert.ok(chat.screen().rows.includes('12:30 <bob> line 15'))
    assert.ok(!chat.screen().rows.includes('12:30 <bob> line 20'))
    const before = chat.screen().rows.slice(0, 6)
    chat.room(said('bob', 'something new that needs more than one row of the screen'))
    assert.deepEqual(chat.screen().rows.slice(0, 6), before)
    assert.match(chat.screen().rows[6]!, /↓ \d+ more/)
    chat.type('\u001b[6~\u001b[6~\u001b[6~')
    const below = chat.screen().rows.join('\n')
    assert.match(below, /── new ──/)
    assert.match(below, /something new/)
    assert.equal(chat.state.scrolledRows, 0)
  })

  it('does not scroll beyond the first message', () => {
    const chat = talk(10)
    chat.type('\u001b[5~'.repeat(50))
    assert.ok(chat.screen().rows[0]!.includes('you are in lobby'))
    chat.type('\u001b')
    chat.feed({ type: 'keys', keys: [{ type: 'key', name: 'escape' }] })
    assert.ok(chat.screen().rows.includes('12:30 <bob> line 10'))
  })

  it('marks what came while the window was in the background, until one speaks', () => {
    const chat = talk(1)
    chat.type('\u001b[O')
    chat.room(said('bob', 'psst'))
    chat.room(said('bob', 'are you there?'))
    chat.type('\u001b[I')
    const rows = chat.screen().rows
    const mark = rows.findIndex((row) => row.startsWith('── new'))
    assert.equal(rows[mark + 1], '12:30 <bob> psst')
    assert.equal(rows.filter((row) => row.startsWith('── new')).length, 1)
    chat.type('yes\r')
    assert.ok(!chat.screen().rows.some((row) => row.startsWith('── new')))
  })

  it('shows the history, and marks what was missed', () => {
    const chat = talk(0)
    const before = { isHistory: true, sentAtMs: chat.state.nowMs - 3_600_000 }
    chat.room(said('bob', 'seen', { ...before, isSeen: true }))
    chat.room(said('ann', 'mine', { ...before, isSeen: true, isSelf: true }))
    chat.room(said('bob', 'missed', before))
    const shown = chat.screen().rows.filter((row) => row.startsWith('11:30') || row.startsWith('──'))
    assert.deepEqual(
      shown.map((row) => row.slice(0, 18).trim()),
      ['11:30 <bob> seen', '11:30 <ann> mine', '── new ───────────', '11:30 <bob> missed']
    )
  })

  it('wraps long texts below the first row, at spaces', () => {
    const chat = driveChat()
    chat.room(said('bob', 'a text with more words than a row of forty columns can hold'))
    const shown = chat
      .screen()
      .rows.filter((row) => row !== '')
      .slice(0, 2)
    assert.deepEqual(shown, [
      '12:30 <bob> a text with more words than',
      '      a row of forty columns can hold'
    ])
  })

  it('counts wide characters, marks and emoji as a terminal does', () => {
    const chat = driveChat()
    chat.type('日本e\u0301👩‍👩‍👧x')
    const { rows, cursor } = chat.screen()
    assert.equal(rows.at(-1), 'ann> 日本e\u0301👩‍👩‍👧x')
    assert.equal(cursor.column, 5 + 4 + 1 + 2 + 1)
    chat.type('\u007f\u007f')
    assert.equal(chat.screen().cursor.column, 5 + 4 + 1)
  })

  it('gives every person a colour of their own that stays, and none where colours are unwanted', () => {
    const chat = driveChat()
    chat.room(said('bob', 'one'))
    chat.room(said('cem', 'two'))
    chat.room(said('bob', 'three'))
    const size = { columns: 40, rows: 8 }
    const coloured = render(chat.state, { ...size, colours: '256' })
    const codes = [...coloured.matchAll(/\u001b\[(38;5;\d+)m<(\w+)> /g)].map(([, code, nick]) => [nick, code])
    assert.equal(codes.length, 3)
    assert.equal(codes[0]![1], codes[2]![1])
    assert.notEqual(codes[0]![1], codes[1]![1])
    assert.ok(!/\u001b\[[\d;]*m/.test(render(chat.state, { ...size, colours: 'none' })))
  })

  it('keeps the end of a long line in view', () => {
    const chat = driveChat()
    chat.type(`${'x'.repeat(100)}end`)
    const { rows, cursor } = chat.screen()
    assert.ok(rows.at(-1)!.endsWith('xend') && rows.at(-1)!.length <= 40)
    assert.ok(cursor.column < 40)
    chat.type('\u0001')
    assert.equal(chat.screen().cursor.column, 5)
  })

  it('names somebody who is here with two devices once', () => {
    const chat = driveChat()
    chat.room(here('bob'))
    chat.room({ type: 'joined', member: { ...member('bob'), device: 'did:key:z6Mkother' } })
    assert.ok(chat.screen().rows.includes(' lobby · 2 here: ann, bob'))
  })

  it('draws nothing outside the terminal, however small, whatever was said', () => {
    const words = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 60 })
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(words, words), { maxLength: 6 }),
        fc.record({ columns: fc.integer({ min: 4, max: 60 }), rows: fc.integer({ min: 1, max: 12 }) }),
        words,
        (talked, size, written) => {
          const chat = driveChat({ ...size, nick: written.slice(0, 10) })
          chat.room(here('bob'))
          for (const [label, text] of talked) chat.room(said('eve', text, { label }))
          chat.feed({ type: 'keys', keys: [{ type: 'paste', text: written }] })
          const { foreign } = chat.screen()
          assert.deepEqual(foreign, [])
        }
      ),
      { numRuns: 300 }
    )
  })
})
