import type { CliContext, OutputStream } from './context.ts'
import { CliError } from './errors.ts'

/** C0, C1 and DEL, and the Unicode controls that reorder text: nothing a peer wrote may steer a terminal. */
// eslint-disable-next-line no-control-regex -- these are the characters to remove
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** Text from anywhere, made safe to show on one line of a terminal. */
export function safeText(text: string): string {
  return text.replace(CONTROLS, '\ufffd')
}

/** Of those, what plain text is made of too. */
const LAYOUT = new Set(['\t', '\n', '\r'])

/** Makes a stream of bytes safe to show on a terminal as text: lines and tabs stay, what would steer it does not. */
export function createTerminalFilter(): (bytes: Uint8Array) => string {
  const text = new TextDecoder()
  return (bytes) =>
    text
      .decode(bytes, { stream: true })
      .replace(CONTROLS, (character) => (LAYOUT.has(character) ? character : '\ufffd'))
}

/** A value as a line of JSON whose text cannot steer a terminal either: JSON itself escapes only a part of it. */
export function jsonLine(value: unknown): string {
  return escapeControls(JSON.stringify(value)) + '\n'
}

/** JSON with what {@link safeText} removes written as escapes, so that nothing is lost to who parses it. */
export function escapeControls(json: string): string {
  return json.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Writes a result: the object itself with `--json`, otherwise the lines made for people. */
export async function printResult(
  context: CliContext,
  result: object,
  lines: readonly string[]
): Promise<void> {
  if (context.json) await context.stdout.write(jsonLine(result))
  else if (lines.length > 0) await context.stdout.write(lines.map(safeText).join('\n') + '\n')
}

/**
 * Writes one value of a result alone, for a shell to use.
 *
 * @throws CliError ERR_USAGE when the result has no such value
 */
export async function printField(context: CliContext, result: object, name: string): Promise<void> {
  const value = Object.entries(result).find(([key]) => key === name)?.[1] as unknown
  if (value === undefined) {
    const names = Object.keys(result).join(', ')
    throw new CliError('ERR_USAGE', `expected --field to be one of ${names}, got ${name.slice(0, 40)}`)
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  await context.stdout.write(context.json ? jsonLine(value) : safeText(text) + '\n')
}

/** Says something beside the result: on standard error, never mixed into what a script reads. */
export async function printNotice(context: CliContext, text: string): Promise<void> {
  if (context.json) await context.stderr.write(jsonLine({ event: 'notice', text }))
  else await context.stderr.write(safeText(text) + '\n')
}

/** A table with aligned columns. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)))
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd()
  )
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A byte count for people. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? 'B'}`
}

/** A line on a terminal that is written over as work goes on; silent elsewhere. */
export interface ProgressLine {
  update(text: string): void
  /** Removes the line. */
  end(): Promise<void>
}

const PROGRESS_PERIOD_MS = 100

/** Shows progress on `stream` when it is a terminal, at most ten times a second. */
export function createProgressLine(stream: OutputStream, nowMs: () => number): ProgressLine {
  let shownAtMs = -Infinity
  let isShown = false
  return {
    update: (text) => {
      const timeMs = nowMs()
      if (!stream.isTerminal || timeMs - shownAtMs < PROGRESS_PERIOD_MS) return
      shownAtMs = timeMs
      isShown = true
      void stream.write(`\r\u001b[K${safeText(text).slice(0, Math.max(20, stream.columns - 1))}`)
    },
    end: async () => {
      if (isShown) await stream.write('\r\u001b[K')
    }
  }
}
