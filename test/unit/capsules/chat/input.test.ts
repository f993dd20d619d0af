import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeKeys,
  decodeLines,
  EMPTY_KEYS,
  EMPTY_LINES,
  flushKeys,
  flushLines,
  type InputLine,
  type Key
} from '#chat'
import { decodeUtf8, EMPTY_UTF8, utf8Length } from '../../../../capsules/chat/utf8.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

function keysOf(text: string): readonly Key[] {
  return decodeKeys(EMPTY_KEYS, bytesOf(text)).keys
}

function namesOf(text: string): string[] {
  return keysOf(text).map((key) => (key.type === 'key' ? key.name : `${key.type}:${key.text}`))
}

/** Joins neighbouring texts, which may be cut anywhere. */
function joined(keys: readonly Key[]): Key[] {
  return keys.reduce<Key[]>((all, key) => {
    const last = all.at(-1)
    if (last?.type !== 'text' || key.type !== 'text') return [...all, key]
    return [...all.slice(0, -1), { type: 'text', text: last.text + key.text }]
  }, [])
}

describe('keys', () => {
  it('are read from what terminals send', () => {
    assert.deepEqual(namesOf('hé日🦊'), ['text:hé日🦊'])
    assert.deepEqual(namesOf('\r\n\t\u007f\b\u0003\u0004\u000c'), [
      ...['enter', 'enter', 'tab', 'backspace', 'backspace', 'interrupt', 'end-of-input', 'redraw']
    ])
    assert.deepEqual(namesOf('\u001b[A\u001b[B\u001b[C\u001b[D\u001bOA\u001bOH'), [
      ...['up', 'down', 'right', 'left', 'up', 'home']
    ])
    assert.deepEqual(namesOf('\u001b[5~\u001b[6~\u001b[3~\u001b[H\u001b[4~\u001b[1;5C\u001bb\u001b\u007f'), [
      ...['page-up', 'page-down', 'delete', 'home', 'end', 'word-right', 'word-left', 'erase-word']
    ])
    assert.deepEqual(namesOf('\u001b[I\u001b[O'), ['focus', 'blur'])
  })

  it('do not type what a terminal answers or what nobody knows', () => {
    assert.deepEqual(namesOf('\u001b]11;rgb:0000/0000/0000\u001b\\a'), ['text:a'])
    assert.deepEqual(namesOf('\u001b]0;x\u0007b'), ['text:b'])
    assert.deepEqual(namesOf('\u001b[?1;2c\u001b[12;40R\u001b[99~c'), ['text:c'])
    assert.deepEqual(namesOf(`\u001b[${'1;'.repeat(32)}2d`), ['text:d'])
    assert.deepEqual(namesOf('\u009b2Jd'), ['text:2Jd'])
  })

  it('take a paste as one, line feeds and all', () => {
    assert.deepEqual(keysOf('\u001b[200~one\rtwo \u001b[A\u001b[201~x'), [
      { type: 'paste', text: 'one\rtwo \u001b[A' },
      { type: 'text', text: 'x' }
    ])
    const big = decodeKeys(EMPTY_KEYS, bytesOf(`\u001b[200~${'x'.repeat(1_000_000)}\u001b[201~y`))
    assert.equal(big.keys.length, 2)
    assert.ok(big.keys[0]!.type === 'paste' && big.keys[0]!.text.length <= 65_536)
  })

  it('know the escape key from the start of a sequence by the silence after it', () => {
    const { state, keys } = decodeKeys(EMPTY_KEYS, Uint8Array.of(0x1b))
    assert.deepEqual(keys, [])
    assert.deepEqual(flushKeys(state).keys, [{ type: 'key', name: 'escape' }])
    assert.deepEqual(flushKeys(EMPTY_KEYS).keys, [])
    assert.deepEqual(decodeKeys(state, bytesOf('[A')).keys, [{ type: 'key', name: 'up' }])
  })

  it('are the same however the bytes are cut', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '\u001b[A',
        '\u001b[1;5D',
        '\u001b[200~pa\r🦊ste\u001b[201~',
        '\r',
        '\u007f',
        '\u001b]x\u0007'
      ),
      fc.string({ unit: 'grapheme', maxLength: 5 }).map((text) => text.replaceAll(/\p{Cc}/gu, ''))
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.nat(200), { maxLength: 6 }),
        (pieces, cuts) => {
          const bytes = bytesOf(pieces.join(''))
          const whole = decodeKeys(EMPTY_KEYS, bytes)
          const at = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
            bytes.length
          ]
          let state = EMPTY_KEYS
          const keys: Key[] = []
          for (let index = 1; index < at.length; index++) {
            const step = decodeKeys(state, bytes.subarray(at[index - 1], at[index]))
            state = step.state
            keys.push(...step.keys)
          }
          assert.deepEqual(joined(keys), joined(whole.keys))
        }
      )
    )
  })
})

describe('lines from a pipe', () => {
  const linesOf = (chunks: readonly Uint8Array[]): InputLine[] => {
    let state = EMPTY_LINES
    const lines: InputLine[] = []
    for (const chunk of chunks) {
      const step = decodeLines(state, chunk)
      state = step.state
      lines.push(...step.lines)
    }
    return [...lines, ...flushLines(state).lines]
  }

  it('are read however they are cut, with or without a last line feed', () => {
    const [one, two] = [bytesOf('hé\r\nlo\n\nen').subarray(0, 2), bytesOf('hé\r\nlo\n\nen').subarray(2)]
    assert.deepEqual(
      linesOf([one, two]).map((line) => (line.type === 'line' ? line.text : line.code)),
      ['hé', 'lo', '', 'en']
    )
  })

  it('are skipped with a code when too long or not text, and the next one is read', () => {
    const long = bytesOf(`${'x'.repeat(1_048_576)}\nshort\n`)
    assert.deepEqual(linesOf([long]), [
      { type: 'bad-line', code: 'ERR_TEXT_TOO_LONG' },
      { type: 'line', text: 'short' }
    ])
    assert.deepEqual(linesOf([Uint8Array.of(0xff, 0xfe, 0x0a, 0x61, 0x0a)]), [
      { type: 'bad-line', code: 'ERR_TEXT_INVALID' },
      { type: 'line', text: 'a' }
    ])
    assert.deepEqual(linesOf([Uint8Array.of(0xc3)]), [{ type: 'bad-line', code: 'ERR_TEXT_INVALID' }])
  })
})

describe('UTF-8 in pieces', () => {
  it('is what TextDecoder reads, valid or not', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'binary' }).map(bytesOf)),
        (bytes) => {
          const { text, state } = decodeUtf8(EMPTY_UTF8, bytes)
          const ours = text + (state.pending.length > 0 ? '\ufffd' : '')
          assert.equal(ours, new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
        }
      ),
      { numRuns: 200 }
    )
  })

  it('is counted without being written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(utf8Length(text), bytesOf(text).length)
      })
    )
  })
})
