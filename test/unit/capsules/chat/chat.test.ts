import assert from 'node:assert/strict'
import { FIRST_USE_NOTICE, TEXT_BYTES_MAX } from '#chat'
import { TEXT_BYTES_MAX as ROOM_TEXT_BYTES_MAX } from '#rooms'
import { driveChat, here, member, NOW_MS, said } from '../../../support/chat-driver.ts'

describe('the chat', () => {
  it('joins its room and says on first use who can listen', () => {
    const chat = driveChat({ isFirstUse: true })
    assert.deepEqual(chat.effects, [{ type: 'join', room: 'lobby', nick: 'ann' }])
    assert.ok(chat.screen().rows.join(' ').includes('anyone who knows this room'))
    const lines = driveChat({ mode: 'lines', isFirstUse: true })
    assert.deepEqual(lines.texts('note'), [`12:30 - ${FIRST_USE_NOTICE}`])
    assert.deepEqual(driveChat({ mode: 'lines' }).texts('note'), [])
  })

  it('sends what is typed, shows it when the room has it, and says when nobody heard', () => {
    const chat = driveChat()
    chat.room(here('bob'))
    chat.type('hello\r')
    assert.deepEqual(chat.texts('send'), ['hello'])
    const own = said('ann', 'hello', { isSelf: true })
    chat.room(own)
    chat.room({ type: 'sent', id: own.id, recipients: 1 })
    assert.ok(chat.screen().rows.includes('12:30 <ann> hello'))
    chat.type('again\r')
    const second = said('ann', 'again', { isSelf: true })
    chat.room(second)
    chat.room({ type: 'sent', id: second.id, recipients: 0 })
    assert.match(chat.screen().rows.join('\n'), /<ann> again \(nobody was here to\s+read this\)/)
  })

  it('knows the commands', () => {
    const chat = driveChat()
    chat.room(here('bob'))
    chat.type('/nick anna\r/join kitchen\r')
    assert.deepEqual(chat.texts('nick'), ['anna'])
    assert.deepEqual([...chat.texts('leave'), ...chat.texts('join')], ['lobby', 'kitchen'])
    assert.equal(chat.state.isJoined, false)
    assert.deepEqual(chat.texts('send'), [])
    chat.room({ type: 'here', room: 'kitchen', members: [member('ann', { isSelf: true })] })
    chat.type('//shrug\r')
    assert.deepEqual(chat.texts('send'), ['/shrug'])
    assert.equal(chat.isQuitting(), false)
    chat.type('/quit\r')
    assert.equal(chat.isQuitting(), true)
  })

  it('says nothing aloud that was meant as a command', () => {
    const chat = driveChat({ mode: 'lines' })
    for (const text of ['/nik bob', '/nick', '/join', '/msg bob secret']) {
      chat.feed({ type: 'lines', lines: [{ type: 'line', text }] })
    }
    assert.deepEqual(chat.texts('send'), [])
    assert.equal(chat.texts('note').length, 4)
    assert.equal(chat.state.refusedCount, 4)
  })

  it('lists who is here with their dids', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.room(here())
    chat.room({ type: 'joined', member: member('bob', { device: 'did:key:z6Mkphone' }) })
    chat.feed({ type: 'lines', lines: [{ type: 'line', text: '/who' }] })
    assert.deepEqual(chat.texts('note').slice(-2), [
      '12:30 - ann (you) did:key:z6Mkann',
      '12:30 - bob did:key:z6Mkbob on did:key:z6Mkphone'
    ])
  })

  it('follows people as they come, change their nick, and go', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.room(here())
    chat.room({ type: 'joined', member: member('bob') })
    chat.room({
      type: 'nick',
      member: { ...member('bob'), label: 'bobby', nick: 'bobby' },
      previousLabel: 'bob'
    })
    assert.deepEqual(
      chat.state.members.map(({ label }) => label),
      ['ann', 'bobby']
    )
    chat.room({ type: 'left', member: { ...member('bob'), label: 'bobby' }, reason: 'timeout' })
    chat.room({ type: 'joined', member: member('cem', { clockOffMs: -86_400_000 }) })
    chat.room({
      type: 'nick',
      member: member('ann', { isSelf: true, nick: 'me', label: 'me' }),
      previousLabel: 'ann'
    })
    assert.equal(chat.state.nick, 'me')
    assert.deepEqual(chat.texts('note'), [
      '12:30 * you are in lobby as ann; looking for others',
      '12:30 * bob is here',
      '12:30 * bob is now bobby',
      '12:30 * bobby is gone: no sign of life',
      '12:30 * cem is here; their clock is 24 h behind',
      '12:30 * ann is now me'
    ])
  })

  it('refuses too long a text, keeps it on the line, and shows what the node refused', () => {
    assert.equal(TEXT_BYTES_MAX, ROOM_TEXT_BYTES_MAX)
    const chat = driveChat({ columns: 120 })
    chat.room(here())
    chat.feed({ type: 'keys', keys: [{ type: 'paste', text: 'é'.repeat(2_049) }] })
    chat.type('\r')
    assert.deepEqual(chat.texts('send'), [])
    assert.ok(
      chat.screen().rows.some((row) => row.includes('ERR_TEXT_TOO_LONG: expected at most 4096 bytes'))
    )
    assert.equal(chat.state.editor.characters.length, 2_049)
    const why = { code: 'ERR_NICK_INVALID', message: 'expected a nick' }
    chat.feed({ type: 'refused', asked: 'nick', ...why })
    assert.ok(chat.screen().rows.some((row) => row.includes('! ERR_NICK_INVALID: expected a nick')))
  })

  it('shows notices and drops', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.room({ type: 'notice', code: 'alone', text: 'nobody else was found' })
    chat.room({ type: 'dropped', code: 'ERR_MESSAGE_SIGNATURE', count: 1 })
    chat.room({ type: 'dropped', code: 'slow-consumer', count: 3 })
    assert.deepEqual(chat.texts('note'), [
      '12:30 - nobody else was found',
      '12:30 - 1 message dropped: ERR_MESSAGE_SIGNATURE',
      '12:30 - 3 messages missed: this terminal is too slow'
    ])
  })

  it('quits on Ctrl-C at once, on Ctrl-D only when nothing is written', () => {
    const chat = driveChat()
    chat.type('abc\u0001\u0004')
    assert.equal(chat.state.editor.characters.join(''), 'bc')
    assert.equal(chat.isQuitting(), false)
    chat.type('\u0015\u000b\u0004')
    assert.equal(chat.isQuitting(), true)
    const other = driveChat()
    other.type('abc\u0003')
    assert.equal(other.isQuitting(), true)
  })
})

describe('the chat over a pipe', () => {
  it('prints words of others as plain lines, and everything else beside them', () => {
    const chat = driveChat({ mode: 'lines', utcOffsetMinutes: 60 })
    chat.room(here('bob'))
    chat.room(said('bob', 'hi'))
    chat.room(said('ann', 'typed here', { isSelf: true }))
    chat.room(said('bob', 'late', { clockOffMs: 7_200_000 }))
    assert.deepEqual(chat.texts('print'), [
      '13:30 <bob> hi',
      "13:30 <bob> late (sender's clock is 2 h ahead)"
    ])
    assert.deepEqual(chat.texts('note'), ['13:30 * you are in lobby as ann; here: bob'])
  })

  it('prints of the history what was missed, and not again what was printed before', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.room(here('bob'))
    const before = { isHistory: true, sentAtMs: NOW_MS - 3_600_000 }
    chat.room(said('bob', 'seen', { ...before, isSeen: true }))
    chat.room(said('bob', 'missed', { ...before, isSeen: false }))
    assert.deepEqual(chat.texts('print'), ['11:30 <bob> missed'])
  })

  it('does not let a text pass for the line of somebody else', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.room(said('eve', 'hi\n12:31 <bob> I agree\r12:32 <bob> yes'))
    assert.deepEqual(chat.texts('print'), [
      '12:30 <eve> hi',
      '      12:31 <bob> I agree\ufffd12:32 <bob> yes'
    ])
  })

  it('stays until what was said has found its fate, then quits', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.feed({
      type: 'lines',
      lines: [
        { type: 'line', text: 'one' },
        { type: 'line', text: 'two' }
      ]
    })
    chat.feed({ type: 'input-end' })
    assert.equal(chat.isQuitting(), false)
    const own = said('ann', 'one', { isSelf: true })
    chat.room(own)
    chat.room({ type: 'sent', id: own.id, recipients: 0 })
    assert.equal(chat.isQuitting(), false)
    assert.deepEqual(chat.texts('note'), ['12:30 <ann> one (nobody was here to read this)'])
    chat.feed({ type: 'refused', asked: 'send', code: 'ERR_TEXT_INVALID', message: 'expected text' })
    assert.equal(chat.isQuitting(), true)
    assert.equal(chat.state.refusedCount, 1)
    assert.equal(chat.effects.filter((effect) => effect.type === 'quit').length, 1)
  })

  it('quits at once when the input ends and nothing is under way', () => {
    const chat = driveChat({ mode: 'lines' })
    chat.feed({ type: 'tick', nowMs: NOW_MS })
    chat.feed({ type: 'input-end' })
    assert.equal(chat.isQuitting(), true)
  })
})
