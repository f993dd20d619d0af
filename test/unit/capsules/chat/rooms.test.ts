import assert from 'node:assert/strict'
import { driveChat, member, said, type ChatDriver } from '../../../support/chat-driver.ts'

function enter(chat: ChatDriver, room: string, ...nicks: string[]): void {
  const members = [member('ann', { isSelf: true }), ...nicks.map((nick) => member(nick))]
  chat.room({ type: 'here', room, members }, room)
}

/** In the lobby with bob and, shown, in the kitchen with cem. */
function twoRooms(): ChatDriver {
  const chat = driveChat({ columns: 60, rows: 10 })
  enter(chat, 'lobby', 'bob')
  chat.type('/join kitchen\r')
  enter(chat, 'kitchen', 'cem')
  return chat
}

describe('the rooms of a chat', () => {
  it('shows the one that was joined last, and lists both above it', () => {
    const { rows } = twoRooms().screen()
    assert.equal(rows[0], '1 lobby  2>kitchen')
    assert.ok(rows.includes(' kitchen · 2 here: ann, cem'))
    assert.ok(!rows.join('\n').includes('bob'))
  })

  it('counts what is unread in a room that is not shown, and marks it when it is', () => {
    const chat = twoRooms()
    chat.room(said('bob', 'first'), 'lobby')
    chat.room(said('bob', 'second'), 'lobby')
    chat.room(said('ann', 'from my phone', { isSelf: true }), 'lobby')
    assert.equal(chat.screen().rows[0], '1 lobby (2)  2>kitchen')
    chat.type('\u001b1')
    const { rows } = chat.screen()
    assert.equal(rows[0], '1>lobby  2 kitchen')
    const mark = rows.findIndex((row) => row.startsWith('── new'))
    assert.equal(rows[mark + 1], '12:30 <bob> first')
    chat.type('\u001b2\u001b1')
    assert.ok(!chat.screen().rows.some((row) => row.startsWith('── new')))
  })

  it('goes to what is unread with Alt-A, and to a room one is in with /join', () => {
    const chat = twoRooms()
    chat.type('/join shed\r')
    chat.room(said('bob', 'psst'), 'lobby')
    chat.type('\u001ba')
    assert.equal(chat.state.room, 'lobby')
    chat.type('\u001ba')
    assert.equal(chat.state.room, 'kitchen')
    chat.type('/join lobby\r')
    assert.equal(chat.state.room, 'lobby')
    assert.deepEqual(chat.texts('join'), ['lobby', 'kitchen', 'shed'])
  })

  it('says things in the room that is shown', () => {
    const chat = twoRooms()
    chat.type('one\r\u001b1two\r')
    const sent = chat.effects.flatMap((effect) =>
      effect.type === 'send' ? [[effect.room, effect.text]] : []
    )
    assert.deepEqual(sent, [
      ['kitchen', 'one'],
      ['lobby', 'two']
    ])
  })

  it('leaves one and shows another, hears it no more, and can join it again', () => {
    const chat = twoRooms()
    chat.type('/part\r')
    assert.deepEqual(chat.texts('leave'), ['kitchen'])
    assert.equal(chat.state.room, 'lobby')
    chat.room(said('cem', 'too late'), 'kitchen')
    assert.ok(!chat.screen().rows.join('\n').includes('too late'))
    chat.type('/part lobby\r/part\rhello\r')
    assert.deepEqual(chat.texts('leave'), ['kitchen', 'lobby'])
    assert.deepEqual(chat.texts('send'), [])
    chat.type('/join lobby\r')
    assert.deepEqual(chat.texts('join'), ['lobby', 'kitchen', 'lobby'])
    chat.type('hello\r')
    assert.deepEqual(chat.texts('send'), ['hello'])
  })

  it('lists them', () => {
    const chat = driveChat({ mode: 'lines' })
    enter(chat, 'lobby', 'bob')
    const line = (text: string): void => chat.feed({ type: 'lines', lines: [{ type: 'line', text }] })
    line('/join kitchen')
    chat.room(said('bob', 'hi'), 'lobby')
    line('/list')
    assert.deepEqual(chat.texts('print'), ['12:30 [lobby] <bob> hi'])
    assert.deepEqual(chat.texts('note').slice(-2), [
      '12:30 - 1 lobby: 2 here, 1 unread',
      '12:30 - 2 kitchen (shown): joining…'
    ])
  })

  it('stays over a pipe until what was said in any room has found its fate', () => {
    const chat = driveChat({ mode: 'lines' })
    const own = said('ann', 'one', { isSelf: true })
    for (const text of ['one', '/join kitchen']) chat.feed({ type: 'lines', lines: [{ type: 'line', text }] })
    chat.feed({ type: 'input-end' })
    assert.equal(chat.isQuitting(), false)
    chat.room(own, 'lobby')
    chat.room({ type: 'sent', id: own.id, recipients: 1 }, 'lobby')
    assert.equal(chat.isQuitting(), true)
  })

  it('is in nine at most', () => {
    const chat = driveChat()
    for (let n = 2; n <= 10; n++) chat.type(`/join room${n}\r`)
    assert.equal(chat.texts('join').length, 9)
    assert.equal(chat.state.refusedCount, 1)
  })
})

describe('completion', () => {
  it('completes commands, rooms and nicks, and stops where they part', () => {
    const chat = twoRooms()
    const typed = (text: string): string => {
      chat.type(`\u0015${text}\t`)
      return chat.state.editor.characters.join('')
    }
    assert.equal(typed('/jo'), '/join ')
    assert.equal(typed('/join lo'), '/join lobby ')
    assert.equal(typed('ce'), 'cem: ')
    assert.equal(typed('hi ce'), 'hi cem ')
    chat.room({ type: 'joined', member: member('cemal') }, 'kitchen')
    assert.equal(typed('c'), 'cem')
    assert.equal(typed('x'), 'x')
  })
})

describe('people in a chat', () => {
  it('says something to one person only, by nick, and shows what they say', () => {
    const chat = twoRooms()
    chat.type('/msg cem the key is under the mat\r')
    const direct = chat.effects.find((effect) => effect.type === 'direct')
    assert.deepEqual(direct, {
      ...{ type: 'direct', room: 'kitchen', to: 'did:key:z6Mkcem' },
      text: 'the key is under the mat'
    })
    assert.deepEqual(chat.texts('send'), [])
    const words = { id: 'd1', label: 'cem', receivedAtMs: chat.state.nowMs }
    chat.room({ type: 'direct', ...words, author: 'did:key:z6Mkcem', isSelf: false, text: 'thanks' })
    chat.room({ type: 'direct', ...words, author: 'did:key:z6Mkann', isSelf: true, text: 'welcome' })
    const shown = chat.screen().rows.join('\n')
    assert.match(shown, /\*cem\* thanks/)
    assert.match(shown, /\*to cem\* welcome/)
  })

  it('takes nobody for somebody else: two people with one nick are told apart by label', () => {
    const chat = twoRooms()
    const twin = { nick: 'cem', label: 'cem…b5' }
    chat.room({ type: 'joined', member: member('cem2', twin) }, 'kitchen')
    chat.room({ type: 'left', member: member('cem'), reason: 'leave' }, 'kitchen')
    chat.room({ type: 'joined', member: member('cem', { label: 'cem…a4' }) }, 'kitchen')
    chat.type('/msg cem psst\r')
    assert.equal(chat.state.refusedCount, 1)
    chat.type('/msg cem…b5 psst\r')
    const direct = chat.effects.find((effect) => effect.type === 'direct')
    assert.equal(direct?.to, 'did:key:z6Mkcem2')
  })

  it('shows nothing of somebody who is blocked, in any room, until they are heard again', () => {
    const chat = twoRooms()
    chat.type('/block cem\r')
    const cem = 'did:key:z6Mkcem'
    chat.room(said('cem', 'spam'))
    chat.room(said('cem', 'more spam'), 'lobby')
    const words = { id: 'd1', label: 'cem', text: 'private spam', receivedAtMs: 0 }
    chat.room({ type: 'direct', ...words, author: cem, isSelf: false })
    assert.ok(!chat.screen().rows.join('\n').includes('spam'))
    assert.ok(chat.screen().rows[0]?.startsWith('1 lobby  2'))
    chat.type(`/block\r/unblock ${cem}\r`)
    assert.ok(chat.screen().rows.join('').includes(`blocked ${cem}`))
    chat.room(said('cem', 'sorry'))
    assert.ok(chat.screen().rows.join('\n').includes('<cem> sorry'))
    const blocks = chat.effects.flatMap((effect) => (effect.type === 'block' ? [effect.isBlocked] : []))
    assert.deepEqual(blocks, [true, false])
  })

  it('shows both people the same words, and others different ones', () => {
    const words = (self: string, other: string): string => {
      const chat = driveChat({ columns: 200, rows: 30 })
      const members = [member(self, { isSelf: true }), member(other)]
      chat.room({ type: 'here', room: 'lobby', members })
      chat.type(`/verify ${other}\r`)
      const shown = chat
        .screen()
        .rows.flatMap((row) => /^12:30 - ((?:[a-z]+ ){5}[a-z]+)$/.exec(row)?.[1] ?? [])
      return shown.join(' ')
    }
    const seen = words('ann', 'bob')
    assert.equal(seen.split(' ').length, 12)
    assert.equal(words('bob', 'ann'), seen)
    assert.notEqual(words('ann', 'eve'), seen)
  })
})
