/**
 * Text that may stand on a person's terminal: no control characters (a terminal acts on them), no line separators, no
 * lone surrogates, and none of the marks that reorder what is seen.
 *
 * @see https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
 */
export const PRINTABLE_TEXT: RegExp =
  /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*$/u

const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** `text` on one line of at most `lengthMax` characters, with what is not {@link PRINTABLE_TEXT} as question marks. */
export function printable(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).replace(UNPRINTABLE, '?')
}

/** The lines of a text that may be hostile, each {@link printable}, at most `linesMax` of them, empty ones left out. */
export function printableLines(text: string, linesMax: number): string[] {
  return text
    .split('\n')
    .map((line) => printable(line.trimEnd(), 400))
    .filter((line) => line !== '')
    .slice(0, linesMax)
}
