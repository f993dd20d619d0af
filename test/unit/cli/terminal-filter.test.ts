import assert from 'node:assert/strict'
import { createTerminalFilter } from '../../../cli/output.ts'

describe('the output of a capsule on a terminal', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

  it('keeps lines, tabs and every script', () => {
    const filter = createTerminalFilter()
    assert.equal(filter(bytes('one\ttwo\r\nüñ 你好 🦊\n')), 'one\ttwo\r\nüñ 你好 🦊\n')
  })

  it('keeps a character that is cut in two', () => {
    const filter = createTerminalFilter()
    const whole = bytes('你')
    assert.equal(filter(whole.subarray(0, 2)) + filter(whole.subarray(2)), '你')
  })

  it('lets no sequence through that would steer the terminal, whole or in pieces', () => {
    const filter = createTerminalFilter()
    const shown = ['\u001b]0;title\u0007', '\u001b', '[2J', '\u009b31m', '\u202egpj.exe', '\b\b'].map(
      (text) => filter(bytes(text))
    )
    // eslint-disable-next-line no-control-regex -- these are the characters that must not be there
    assert.doesNotMatch(shown.join(''), /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e]/)
    assert.match(shown.join(''), /title/)
  })
})
