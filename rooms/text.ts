import {
  NICK_BYTES_MAX,
  NICK_CHARS_MAX,
  ROOM_NAME_BYTES_MAX,
  ROOM_NAME_CHARS_MAX,
  TEXT_BYTES_MAX
} from './constants.ts'
import { RoomError } from './errors.ts'

const encoder = new TextEncoder()

// All of C0 but tab and line feed, DEL, and C1: what makes a terminal act instead of showing something.
// eslint-disable-next-line no-control-regex -- these are what is looked for
const TEXT_CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/
// Controls, formats (bidi overrides, zero width), surrogates, private use, separators but space, and characters that
// show nothing (Hangul fillers, blank braille), save the selector that belongs to an emoji.
const NAME_FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}|(?!\ufe0f)\p{DI}/u
// What a chat puts around a nick: one that held it could pass for somebody else's words or for another label.
const NICK_FORBIDDEN = /[<>()…]/
const NAME_VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

interface NameRule {
  readonly what: string
  readonly code: 'ERR_ROOM_NAME_INVALID' | 'ERR_NICK_INVALID'
  readonly charsMax: number
  readonly bytesMax: number
  readonly forbidden?: RegExp
}

const ROOM_RULE: NameRule = {
  what: 'a room name',
  code: 'ERR_ROOM_NAME_INVALID',
  charsMax: ROOM_NAME_CHARS_MAX,
  bytesMax: ROOM_NAME_BYTES_MAX
}

const NICK_RULE: NameRule = {
  what: 'a nick',
  code: 'ERR_NICK_INVALID',
  charsMax: NICK_CHARS_MAX,
  bytesMax: NICK_BYTES_MAX,
  forbidden: NICK_FORBIDDEN
}

/**
 * The one spelling of a room's name: Unicode NFC with no white space around it. Upper and lower case differ.
 *
 * @throws RoomError `ERR_ROOM_NAME_INVALID` unless it has 1 to 64 visible characters (256 bytes at most)
 */
export function parseRoomName(text: string): string {
  return parseName(text, ROOM_RULE)
}

/**
 * The one spelling of a nick: Unicode NFC with no white space around it.
 *
 * @throws RoomError `ERR_NICK_INVALID` unless it has 1 to 32 visible characters (128 bytes at most), none of `<>()…`
 */
export function parseNick(text: string): string {
  return parseName(text, NICK_RULE)
}

function parseName(text: string, rule: NameRule): string {
  // A megabyte is refused before it is normalised; composing never makes a text four times longer.
  const name = text.length > rule.bytesMax * 4 ? '' : text.normalize('NFC').trim()
  const isName =
    name !== '' &&
    [...name].length <= rule.charsMax &&
    encoder.encode(name).length <= rule.bytesMax &&
    NAME_VISIBLE.test(name) &&
    !NAME_FORBIDDEN.test(name) &&
    rule.forbidden?.test(name) !== true
  if (isName) return name
  throw new RoomError(
    rule.code,
    `expected ${rule.what} of 1 to ${rule.charsMax} visible characters, got one of ${text.length} code units`
  )
}

/**
 * `text`, when a message may carry it: something other than white space, well-formed Unicode, no control
 * characters but tab and line feed, at most 4,096 bytes of UTF-8. It can still hold what confuses a reader, such as
 * bidirectional overrides, so a screen has more to do.
 *
 * @throws RoomError `ERR_TEXT_TOO_LONG` or `ERR_TEXT_INVALID`
 */
export function parseText(text: string): string {
  if (text.length > TEXT_BYTES_MAX || encoder.encode(text).length > TEXT_BYTES_MAX) {
    throw new RoomError('ERR_TEXT_TOO_LONG', `expected a text of at most ${TEXT_BYTES_MAX} bytes of UTF-8`)
  }
  if (!text.isWellFormed() || TEXT_CONTROLS.test(text)) {
    throw new RoomError('ERR_TEXT_INVALID', 'expected text without control characters, got binary data')
  }
  if (text.trim() === '') throw new RoomError('ERR_TEXT_INVALID', 'expected some text, got only white space')
  return text
}
