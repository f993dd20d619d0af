import { MARKS_MAX, TAB_COLUMNS } from './constants.ts'
import { REPLACEMENT } from './utf8.ts'

// C0, DEL and C1, lone surrogates, line and paragraph separators: what a terminal acts on, or what ends a line.
const ACTIVE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u
// Bidirectional embeddings, overrides and isolates (UAX #9): they reorder what stands around them, names included.
const REORDERING = /[\u202a-\u202e\u2066-\u2069]/
// Invisible formats, tags and fillers. The joiners belong to scripts and emoji, the selectors to emoji.
const INVISIBLE = /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cf}\p{DI}]/u
const MARK = /[\p{Mn}\p{Me}]/u

/**
 * `text` of a stranger as one harmless line: nothing in it can move the cursor, end the line, hide, reorder what
 * stands around it, or climb over other lines. What was taken out because it could do harm shows as U+FFFD.
 */
export function showable(text: string): string {
  let shown = ''
  let marks = 0
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0
    if (character === '\t') shown += ' '.repeat(TAB_COLUMNS)
    else if (ACTIVE.test(character) || REORDERING.test(character)) shown += REPLACEMENT
    else if (!INVISIBLE.test(character) && marks <= MARKS_MAX) shown += character
  }
  return shown
}

/** The lines of a text of a stranger, each harmless; line feeds, and nothing else, part them. */
export function showableLines(text: string): readonly string[] {
  return text.split('\n').map(showable)
}
