import assert from 'node:assert/strict'
import { driveChat, said } from '../../../support/chat-driver.ts'
import { readRoomEvent } from '../../../../capsules/chat/read-room-event.ts'

const MODERATOR = 'did:key:zModerator'

describe('what moderators hide from a chat', () => {
  it('is not drawn, is counted in one line, and is shown to who asks', () => {
    const chat = driveChat({ columns: 100, rows: 12 })
    for (const text of ['buy', 'this', 'now']) chat.room(said('spam', text, { hiddenBy: MODERATOR }))
    chat.room(said('bob', 'good day'))
    const screen = chat.screen().rows.join('\n')
    assert.ok(screen.includes('3 messages are hidden by moderators you follow; /hidden shows them'))
    assert.equal(screen.match(/hidden by/g)?.length, 1)
    assert.ok(screen.includes('good day') && !screen.includes('buy'))
    chat.type('/hidden\r')
    assert.ok(chat.screen().rows.join('\n').includes('hidden <spam> this'))
  })

  it('goes from a screen when a list comes, and comes back when that is taken back', () => {
    const chat = driveChat({ columns: 70, rows: 12 })
    const event = said('spam', 'buy this')
    chat.room(event)
    chat.room({ type: 'moderated', hidden: [event.id], shown: [] })
    assert.ok(!chat.screen().rows.join('\n').includes('buy this'))
    assert.ok(chat.screen().rows.join('\n').includes('1 message is hidden'))
    chat.room({ type: 'moderated', hidden: [], shown: [event.id] })
    assert.ok(chat.screen().rows.join('\n').includes('<spam> buy this'))
    assert.equal(chat.state.hidden.length, 0)
  })

  it('is counted down when messages are shown again, and the note goes with the last', () => {
    const chat = driveChat({ columns: 100, rows: 14 })
    const events = ['one', 'two', 'three'].map((text) => said('spam', text))
    for (const event of events) chat.room(event)
    const ids = events.map(({ id }) => id)
    const rows = (): string => chat.screen().rows.join('\n')
    chat.room({ type: 'moderated', hidden: ids, shown: [] })
    assert.match(rows(), /3 messages are hidden/)
    chat.room({ type: 'moderated', hidden: [], shown: ids.slice(0, 2) })
    assert.match(rows(), /1 message is hidden/)
    assert.doesNotMatch(rows(), /3 messages are hidden/)
    chat.room({ type: 'moderated', hidden: ids.slice(0, 1), shown: [] })
    assert.match(rows(), /2 messages are hidden/)
    chat.room({ type: 'moderated', hidden: [], shown: ids })
    assert.doesNotMatch(rows(), /hidden by/)
    assert.equal(chat.state.hiddenCount, 0)
  })

  it('is nothing when all are shown again, of however many', () => {
    const chat = driveChat({ columns: 100, rows: 14 })
    const ids = Array.from({ length: 300 }, (_, count) => {
      const event = said('spam', `flood ${count}`, { hiddenBy: MODERATOR })
      chat.room(event)
      return event.id
    })
    chat.room({ type: 'moderated', hidden: [], shown: ids })
    assert.deepEqual([chat.state.hiddenCount, chat.state.hidden.length], [0, 0])
  })

  it('is told over a pipe ever more seldom, so that a flood stays outside', () => {
    const chat = driveChat({ mode: 'lines' })
    for (let count = 0; count < 100; count += 1)
      chat.room(said('spam', `flood ${count}`, { hiddenBy: MODERATOR }))
    const lines = chat.effects.flatMap((effect) => ('line' in effect ? [effect.line] : []))
    const told = lines.flatMap((line) => /(\d+) messages? (?:is|are) hidden/.exec(line)?.[1] ?? [])
    assert.deepEqual(told, ['1', '2', '4', '8', '16', '32', '64'])
    assert.ok(!lines.some((line) => line.includes('flood')))
  })

  it('is read from a node only as ids', () => {
    const event = { type: 'moderated', hidden: ['a:1'], shown: [] }
    assert.deepEqual(readRoomEvent(event), event)
    assert.equal(readRoomEvent({ ...event, hidden: [1] }), undefined)
    assert.equal(readRoomEvent({ ...event, shown: Array(1025).fill('a:1') }), undefined)
  })
})
