import { createPaint, type ColourDepth, type Paint } from './colours.ts'
import { TIME_COLUMNS } from './constants.ts'
import { showable, showableLines } from './sanitise.ts'
import type { Entry } from './state.ts'
import { wrap } from './width.ts'

const MINUTE_MS = 60_000
const DAY_MS: number = 24 * 60 * MINUTE_MS

/** `12:30`, by the clock on the wall. */
export function timeOfDay(atMs: number, utcOffsetMinutes: number): string {
  const intoDayMs = (((atMs + utcOffsetMinutes * MINUTE_MS) % DAY_MS) + DAY_MS) % DAY_MS
  const minutes = Math.floor(intoDayMs / MINUTE_MS)
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

/** `3 h ahead`, for a clock that is off. */
export function clockOff(offMs: number): string {
  const minutes = Math.round(Math.abs(offMs) / MINUTE_MS)
  const away = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
  return `${away} ${offMs > 0 ? 'ahead' : 'behind'}`
}

/**
 * An entry as plain lines for a pipe: `12:30 <ann> text`, further lines of a text indented below the first; with a room
 * `12:30 [kitchen] <ann> text`.
 */
export function plainLines(entry: Entry, utcOffsetMinutes: number, room?: string): readonly string[] {
  const where = room === undefined ? '' : `[${showable(room)}] `
  const time = timeOfDay(entry.atMs, utcOffsetMinutes)
  const indent = ' '.repeat(TIME_COLUMNS)
  return showableLines(entry.text + suffix(entry)).map((line, index) =>
    index === 0 ? `${time} ${where}${head(entry)}${line}` : indent + line
  )
}

/** How an entry is drawn. */
export interface EntryLayout {
  readonly columns: number
  readonly utcOffsetMinutes: number
  readonly colours: ColourDepth
}

/** An entry as rows of a screen, none wider than `columns`; colours are the only control sequences in them. */
export function screenRows(
  entry: Entry,
  { columns, utcOffsetMinutes, colours }: EntryLayout
): readonly string[] {
  const paint = createPaint(colours)
  const time = `${timeOfDay(entry.atMs, utcOffsetMinutes)} `
  const label = head(entry)
  // A label is kept whole: where it is wider than the screen it gets rows of its own.
  const indent = ' '.repeat(columns > TIME_COLUMNS * 3 ? TIME_COLUMNS : 0)
  const width = Math.max(columns - indent.length, 1)
  const [first = '', ...rest] = showableLines(entry.text + suffix(entry))
  const opening = wrap(label + first, width)
  const rows = [...opening, ...rest.flatMap((line) => wrap(line, width))]
  return rows.map((row, index) => {
    const before = indent === '' ? '' : index === 0 ? paint.dim(time) : indent
    const isHead = index === 0 && label !== '' && row.startsWith(label.trimEnd())
    return before + (isHead ? paintHead(entry, row, paint) : paintBody(entry, row, paint))
  })
}

function head({ kind, label, isDirect, isSelf }: Entry): string {
  if (isDirect === true) return `*${isSelf === true ? 'to ' : ''}${showable(label ?? '?')}* `
  if (kind === 'message') return `<${showable(label ?? '?')}> `
  return kind === 'event' ? '* ' : kind === 'error' ? '! ' : '- '
}

function suffix({ clockOffMs, delivery }: Entry): string {
  const clock = clockOffMs === undefined ? '' : ` (sender's clock is ${clockOff(clockOffMs)})`
  return delivery === 'unheard' ? `${clock} (nobody was here to read this)` : clock
}

function paintHead(entry: Entry, row: string, paint: Paint): string {
  const length = Math.min(head(entry).length, row.length)
  const [label, body] = [row.slice(0, length), row.slice(length)]
  if (entry.kind !== 'message') return paintBody(entry, row, paint)
  return paint.author(entry.author ?? '', label) + paintBody(entry, body, paint)
}

function paintBody({ kind, delivery }: Entry, text: string, paint: Paint): string {
  if (text === '') return text
  if (kind === 'error') return paint.error(text)
  return kind !== 'message' || delivery === 'pending' ? paint.dim(text) : text
}
