import { createPaint, type ColourDepth } from './colours.ts'
import { COLUMNS_MIN, ROWS_FOR_BAR_MIN, ROWS_FOR_ROOMS_MIN } from './constants.ts'
import { screenRows } from './entry-lines.ts'
import { showable } from './sanitise.ts'
import type { ChatState, Entry } from './state.ts'
import { allViews } from './views.ts'
import { fit, textWidth } from './width.ts'

/** The terminal to draw for. */
export interface ScreenInit {
  readonly columns: number
  readonly rows: number
  readonly colours: ColourDepth
}

/**
 * What to write before the first screen: the alternate screen, no wrapping at the right edge (so that a character whose
 * width a terminal sees differently cannot push a row down), bracketed paste and focus reports.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */
export const SCREEN_ENTER = '\u001b[?1049h\u001b[?7l\u001b[?2004h\u001b[?1004h'
/** What to write after the last screen, to leave the terminal as it was. */
export const SCREEN_LEAVE = '\u001b[?1004l\u001b[?2004l\u001b[?7h\u001b[?25h\u001b[?1049l'

const UNREAD_MARK = '── new '

/** Draws the whole screen: the rooms if there are several, the messages, who is here, the line being written with the cursor in it. */
export function render(state: ChatState, init: ScreenInit): string {
  const { columns, rows } = init
  const areaRows = messageRows({ ...state, rows })
  const shown = visibleRows(state, init, areaRows)
  const blank = Array.from({ length: Math.max(areaRows - shown.length, 0) }, () => '')
  const bar = rows >= ROWS_FOR_BAR_MIN ? [whoIsHere(state, init)] : []
  const input = inputLine(state, columns)
  const rooms = hasRoomList({ ...state, rows }) ? [roomList(state, init)] : []
  const lines = [...rooms, ...blank, ...shown, ...bar, input.row]
  const drawn = lines.map((line, index) => `\u001b[${index + 1};1H${line}\u001b[K`).join('')
  return `\u001b[?25l${drawn}\u001b[${lines.length};${input.cursorColumn}H\u001b[?25h`
}

/** Rows that the message area of a screen has. */
export function messageRows(state: Pick<ChatState, 'rows' | 'order'>): number {
  const others = (state.rows >= ROWS_FOR_BAR_MIN ? 2 : 1) + (hasRoomList(state) ? 1 : 0)
  return Math.max(state.rows - others, 0)
}

function hasRoomList({ rows, order }: Pick<ChatState, 'rows' | 'order'>): boolean {
  return order.length > 1 && rows >= ROWS_FOR_ROOMS_MIN
}

/** `1 lobby  2 kitchen (3)`: the shown one stands out, the others say how many messages are unread. */
function roomList(state: ChatState, { columns, colours }: ScreenInit): string {
  const paint = createPaint(colours)
  let left = columns
  return allViews(state)
    .map(({ visit, room, unreadCount }, index) => {
      const unread = unreadCount === 0 ? '' : ` (${unreadCount})`
      const isShown = visit === state.visit
      const text = fit(`${index + 1}${isShown ? '>' : ' '}${showable(room)}${unread}  `, left)
      left -= textWidth(text)
      return isShown || unreadCount > 0 ? paint.bold(text) : paint.dim(text)
    })
    .join('')
}

/** Rows that all entries take together, to know how far back one can scroll. */
export function entryRowCount(state: ChatState, entries: readonly Entry[] = state.entries): number {
  return entries.reduce(
    (count, entry) => count + layOut(entry, state, { columns: state.columns, colours: 'none' }).length,
    0
  )
}

function layOut(
  entry: Entry,
  state: ChatState,
  { columns, colours }: Pick<ScreenInit, 'columns' | 'colours'>
): readonly string[] {
  const rows = screenRows(entry, { columns, utcOffsetMinutes: state.utcOffsetMinutes, colours })
  if (entry.id !== state.unreadFrom) return rows
  const mark = UNREAD_MARK + '─'.repeat(Math.max(columns - textWidth(UNREAD_MARK), 0))
  return [createPaint(colours).error(fit(mark, columns)), ...rows]
}

/** The last rows that fit, above those scrolled past; only as many entries are laid out as are needed. */
function visibleRows(
  state: ChatState,
  { columns, colours }: ScreenInit,
  areaRows: number
): readonly string[] {
  const wanted = areaRows + state.scrolledRows
  let rows: readonly string[] = []
  for (let index = state.entries.length - 1; index >= 0 && rows.length < wanted; index--) {
    const entry = state.entries[index]
    if (entry !== undefined) rows = [...layOut(entry, state, { columns, colours }), ...rows]
  }
  const end = Math.max(rows.length - state.scrolledRows, Math.min(areaRows, rows.length))
  return rows.slice(Math.max(end - areaRows, 0), end)
}

function whoIsHere(state: ChatState, { columns, colours }: ScreenInit): string {
  const labels = [...new Set(state.members.map((member) => member.label))].map(showable)
  const who = state.isJoined ? `${labels.length} here: ${labels.join(', ')}` : 'joining…'
  const more = state.scrolledRows > 0 ? ` ↓ ${state.scrolledRows} more (PageDown) ` : ''
  const left = fit(` ${showable(state.room)} · ${who}`, Math.max(columns - textWidth(more), 0))
  const gap = ' '.repeat(Math.max(columns - textWidth(left) - textWidth(more), 0))
  return createPaint(colours).bar(fit(left + gap + more, columns))
}

/** The part of the line around the cursor that fits behind the prompt. */
function inputLine(
  state: ChatState,
  columns: number
): { readonly row: string; readonly cursorColumn: number } {
  const { characters, cursor } = state.editor
  const prompt = columns >= COLUMNS_MIN * 2 ? fit(`${showable(state.nick)}> `, Math.floor(columns / 2)) : '> '
  const space = Math.max(columns - textWidth(prompt) - 1, 1)
  // No more than `space` characters on either side of the cursor can be seen, however long the line is.
  let from = cursor
  let before = 0
  for (; from > Math.max(cursor - space, 0); from--) {
    const width = cellWidth(characters[from - 1])
    if (before + width > space) break
    before += width
  }
  let to = cursor
  for (let used = before; to < Math.min(cursor + space, characters.length); to++) {
    used += cellWidth(characters[to])
    if (used > space) break
  }
  const row = prompt + characters.slice(from, to).map(visible).join('')
  return { row, cursorColumn: Math.max(Math.min(textWidth(prompt) + before + 1, columns), 1) }
}

/** Shows a line feed inside the line being written. */
function visible(character: string): string {
  return character === '\n' ? '⏎' : showable(character)
}

function cellWidth(character: string | undefined): number {
  return textWidth(visible(character ?? ''))
}
