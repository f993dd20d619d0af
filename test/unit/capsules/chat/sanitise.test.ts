import assert from 'node:assert/strict'
import fc from 'fast-check'
import { showable, showableLines } from '#chat'
import { driveChat, said } from '../../../support/chat-driver.ts'

const HOSTILE: Record<string, string> = {
  'a window title (OSC)': '\u001b]0;owned\u0007',
  'a clipboard write (OSC 52)': '\u001b]52;c;ZXZpbA==\u001b\\',
  'a hyperlink (OSC 8)': '\u001b]8;;https://evil.example\u001b\\click\u001b]8;;\u001b\\',
  'clearing the screen (CSI)': '\u001b[2J\u001b[H',
  'a C1 CSI': '\u009b2J',
  'a C1 OSC': '\u009d0;owned\u009c',
  'a device control string': '\u001bP1$r\u001b\\',
  'a reset': '\u001bc',
  backspaces: 'safe\b\b\b\bevil',
  'a carriage return': 'safe\revil',
  'a bell': '\u0007',
  'a NUL': '\u0000',
  'a next line (C1)': 'a\u0085b',
  'a right-to-left override': 'exe.\u202egpj',
  'an isolate': '\u2067abc\u2069',
  'a line separator': 'a\u2028b',
  'a lone surrogate': 'a\ud800b'
}

describe('what strangers write', () => {
  for (const [what, text] of Object.entries(HOSTILE)) {
    it(`is harmless on every way to the terminal: ${what}`, () => {
      assert.ok(!hasDanger(showable(text)))
      assert.ok(showable(text).includes('\ufffd'))
      const lines = driveChat({ mode: 'lines' })
      lines.room(said('eve', text, { label: text }))
      lines.room({ type: 'notice', code: 'alone', text })
      const written = [...lines.texts('print'), ...lines.texts('note')]
      assert.ok(written.length >= 2 && !written.some(hasDanger))
      const chat = driveChat({ room: text, nick: text })
      chat.room(said('eve', text, { label: text }))
      assert.deepEqual(chat.screen('none').foreign, [])
      assert.ok(!chat.screen('none').rows.some(hasDanger))
    })
  }

  it('keeps what is only writing', () => {
    for (const text of ['héllo', 'e\u0301', 'שלום', 'नमस्ते', '👩‍👩‍👧', '☀️', '日本語', 'a\u200cb']) {
      assert.equal(showable(text), text)
    }
  })

  it('takes out what shows nothing, and piles of marks', () => {
    assert.equal(showable('a\u200b\u2060\ufeff\u00ad\u{e0041}\u3164b'), 'ab')
    assert.equal(showable(`a${'\u0301'.repeat(50)}b`), `a${'\u0301'.repeat(4)}b`)
    assert.equal(showable('a\tb'), 'a    b')
  })

  it('parts lines at line feeds and nowhere else', () => {
    assert.deepEqual(showableLines('a\nb\n'), ['a', 'b', ''])
  })

  it('is harmless whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        assert.ok(!hasDanger(showable(text)))
      }),
      { numRuns: 500 }
    )
  })
})

function hasDanger(text: string): boolean {
  return /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(text)
}
