import assert from 'node:assert/strict'
import { parseNick, parseRoomName, parseText } from '#rooms'

describe('names and texts', () => {
  it('have one spelling of a room', () => {
    assert.equal(parseRoomName('  cafe\u0301 '), 'café')
    assert.equal(parseRoomName('Lobby'), 'Lobby')
  })

  const names: Record<string, string> = {
    nothing: '',
    'white space': ' \t ',
    'a line feed': 'a\nb',
    'an escape': '\u001b[31mred',
    'a C1 control': 'a\u009bb',
    'a bidirectional override': 'a\u202eb',
    'a bidirectional isolate': 'a\u2066b',
    'a zero width joiner': 'a\u200db',
    'a no-break space': 'a\u00a0b',
    'a lone surrogate': 'a\ud800',
    'a private character': 'a\ue000',
    'a line separator': 'a\u2028b',
    'a blank letter': '\u3164',
    'only a combining mark': '\u0301',
    'a megabyte': 'x'.repeat(1_048_576)
  }
  for (const [what, name] of Object.entries(names)) {
    it(`refuse as a name: ${what}`, () => {
      assert.throws(() => parseRoomName(name), { code: 'ERR_ROOM_NAME_INVALID' })
      assert.throws(() => parseNick(name), { code: 'ERR_NICK_INVALID' })
    })
  }

  it('keep out of a nick what a chat puts around it', () => {
    for (const nick of ['ann> hi <bob', 'ann (…abc123)', 'ann…', '<ann']) {
      assert.throws(() => parseNick(nick), { code: 'ERR_NICK_INVALID' })
    }
    assert.equal(parseRoomName('<3 (friends)'), '<3 (friends)')
  })

  it('count characters, not code units, and bytes', () => {
    assert.equal(parseNick('🦊'.repeat(32)).length, 64)
    assert.throws(() => parseNick('🦊'.repeat(33)), { code: 'ERR_NICK_INVALID' })
    assert.equal(parseRoomName('x'.repeat(64)).length, 64)
    assert.throws(() => parseRoomName('x'.repeat(65)), { code: 'ERR_ROOM_NAME_INVALID' })
  })

  it('let people write what they like', () => {
    for (const text of ['hi', 'a\tb\nc', 'שלום', '👩‍👩‍👧', 'x'.repeat(4_096), '\u202eabc']) {
      assert.equal(parseText(text), text)
    }
    assert.equal(parseNick('☀️ Ada'), '☀️ Ada')
  })

  it('refuse what is too long before looking at it', () => {
    assert.throws(() => parseText('\u0000'.repeat(1_048_576)), { code: 'ERR_TEXT_TOO_LONG' })
    assert.throws(() => parseText('é'.repeat(2_049)), { code: 'ERR_TEXT_TOO_LONG' })
  })
})
