import { PASTE_BYTES_MAX, SEQUENCE_BYTES_MAX } from './constants.ts'
import { decodeUtf8, EMPTY_UTF8, type Utf8State } from './utf8.ts'

/** Keys that do something other than write a character. */
export type KeyName =
  | 'enter'
  | 'tab'
  | 'backspace'
  | 'delete'
  | 'escape'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'page-up'
  | 'page-down'
  | 'word-left'
  | 'word-right'
  | 'erase-word'
  | 'erase-before'
  | 'erase-after'
  | 'interrupt'
  | 'end-of-input'
  | 'redraw'
  | 'focus'
  | 'blur'
  /** Alt and a digit. */
  | `room-${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`
  /** Alt-A. */
  | 'room-unread'

/** What a person did: wrote characters, pasted some, or pressed a key. */
export type Key =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'paste'; readonly text: string }
  | { readonly type: 'key'; readonly name: KeyName }

/** Where the decoder stands between two pieces of input. */
export interface KeysState {
  readonly mode: 'ground' | 'escape' | 'csi' | 'ss3' | 'string' | 'paste'
  /** Bytes of the escape sequence or paste so far. */
  readonly buffer: readonly number[]
  readonly utf8: Utf8State
}

/** Nothing was typed yet. */
export const EMPTY_KEYS: KeysState = { mode: 'ground', buffer: [], utf8: EMPTY_UTF8 }

/** The keys in some bytes, and where the decoder stands after them. */
export interface KeysStep {
  readonly state: KeysState
  readonly keys: readonly Key[]
}

const ESC = 0x1b

const CONTROLS: Readonly<Record<number, KeyName>> = {
  0x01: 'home',
  0x02: 'left',
  0x03: 'interrupt',
  0x04: 'end-of-input',
  0x05: 'end',
  0x06: 'right',
  0x08: 'backspace',
  0x09: 'tab',
  0x0a: 'enter',
  0x0b: 'erase-after',
  0x0c: 'redraw',
  0x0d: 'enter',
  0x0e: 'down',
  0x10: 'up',
  0x15: 'erase-before',
  0x17: 'erase-word',
  0x7f: 'backspace'
}

// ECMA-48 and what xterm, the Linux console and rxvt send; a parameter such as `1;5` says that Ctrl was held.
const SEQUENCES: Readonly<Record<string, KeyName>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  I: 'focus',
  O: 'blur',
  '1~': 'home',
  '3~': 'delete',
  '4~': 'end',
  '5~': 'page-up',
  '6~': 'page-down',
  '7~': 'home',
  '8~': 'end',
  '1;5C': 'word-right',
  '1;5D': 'word-left',
  '1;3C': 'word-right',
  '1;3D': 'word-left'
}

const PASTE_START = '200~'
// ESC [ 201 ~
const PASTE_END: readonly number[] = [ESC, 0x5b, 0x32, 0x30, 0x31, 0x7e]

/** Reads keys from what a terminal in raw mode sends, however it is cut into pieces. */
export function decodeKeys(state: KeysState, bytes: Uint8Array): KeysStep {
  const decoder = new KeyDecoder(state)
  for (const byte of bytes) decoder.take(byte)
  return decoder.step()
}

/** Call when nothing came for a moment: an escape on its own was the escape key, not the start of a sequence. */
export function flushKeys(state: KeysState): KeysStep {
  if (state.mode !== 'escape') return { state, keys: [] }
  return { state: { ...state, mode: 'ground', buffer: [] }, keys: [{ type: 'key', name: 'escape' }] }
}

class KeyDecoder {
  readonly #keys: Key[] = []
  #mode: KeysState['mode']
  #buffer: number[]
  #utf8: Utf8State

  constructor(state: KeysState) {
    this.#mode = state.mode
    this.#buffer = [...state.buffer]
    this.#utf8 = state.utf8
  }

  step(): KeysStep {
    return { state: { mode: this.#mode, buffer: this.#buffer, utf8: this.#utf8 }, keys: this.#keys }
  }

  take(byte: number): void {
    switch (this.#mode) {
      case 'ground':
        this.#ground(byte)
        break
      case 'escape':
        this.#escape(byte)
        break
      case 'csi':
        this.#csi(byte)
        break
      case 'ss3':
        this.#enter('ground')
        this.#name(SEQUENCES[String.fromCharCode(byte)])
        break
      case 'string':
        // OSC, DCS, APC, PM, SOS: answers of the terminal, up to BEL or ESC \, which are nobody's keys.
        if (byte === 0x07) this.#enter('ground')
        else if (byte === ESC) this.#enter('escape')
        break
      case 'paste':
        this.#paste(byte)
        break
    }
  }

  #enter(mode: KeysState['mode']): void {
    this.#mode = mode
    this.#buffer = []
  }

  #name(name: KeyName | undefined): void {
    if (name !== undefined) this.#keys.push({ type: 'key', name })
  }

  #ground(byte: number): void {
    if (byte >= 0x20 && byte !== 0x7f) {
      this.#write(byte)
      return
    }
    // A key was pressed amid a character that never was finished.
    this.#utf8 = EMPTY_UTF8
    if (byte === ESC) this.#enter('escape')
    else this.#name(CONTROLS[byte])
  }

  #write(byte: number): void {
    const { state, text } = decodeUtf8(this.#utf8, [byte])
    this.#utf8 = state
    // C1 controls in UTF-8 are no characters that anybody typed.
    if (text === '' || /\p{Cc}/u.test(text)) return
    const last = this.#keys.at(-1)
    if (last?.type === 'text') this.#keys[this.#keys.length - 1] = { type: 'text', text: last.text + text }
    else this.#keys.push({ type: 'text', text })
  }

  #escape(byte: number): void {
    this.#enter('ground')
    if (byte === 0x5b) this.#enter('csi')
    else if (byte === 0x4f) this.#enter('ss3')
    else if ([0x50, 0x58, 0x5d, 0x5e, 0x5f].includes(byte)) this.#enter('string')
    else if (byte === ESC) {
      this.#name('escape')
      this.#enter('escape')
    } else if (byte >= 0x31 && byte <= 0x39) {
      this.#name(`room-${(byte - 0x30) as 1}`)
    } else if (byte === 0x61) this.#name('room-unread')
    else if (byte === 0x62 || byte === 0x66) this.#name(byte === 0x62 ? 'word-left' : 'word-right')
    else if (byte === 0x7f) this.#name('erase-word')
    // Anything else is a key with Alt that means nothing here, or the end of a string.
  }

  #csi(byte: number): void {
    if (byte >= 0x40 && byte <= 0x7e) {
      const sequence = String.fromCharCode(...this.#buffer, byte)
      this.#enter(sequence === PASTE_START ? 'paste' : 'ground')
      this.#name(SEQUENCES[sequence])
    } else if (byte < 0x20 || byte > 0x7e || this.#buffer.length >= SEQUENCE_BYTES_MAX) {
      this.#enter('ground')
    } else {
      this.#buffer.push(byte)
    }
  }

  #paste(byte: number): void {
    this.#buffer.push(byte)
    const isEnd = byte === 0x7e && PASTE_END.every((wanted, index) => this.#buffer.at(index - 6) === wanted)
    if (isEnd) {
      const { text } = decodeUtf8(EMPTY_UTF8, this.#buffer.slice(0, -6))
      this.#keys.push({ type: 'paste', text })
      this.#enter('ground')
    } else if (this.#buffer.length > PASTE_BYTES_MAX) {
      // What is too much goes, but the end must still be recognised.
      this.#buffer.splice(PASTE_BYTES_MAX - 6, 1)
    }
  }
}
