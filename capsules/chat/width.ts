/**
 * Ranges of characters two columns wide besides emoji: Unicode East Asian Width W and F, joined where only unassigned
 * characters lie between.
 *
 * @see https://www.unicode.org/reports/tr11/
 */
const WIDE_RANGES: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2fb],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd]
]

const EMOJI = /\p{Emoji_Presentation}/u
const PICTOGRAPH = /\p{Extended_Pictographic}/u
const MODIFIER = /\p{Emoji_Modifier}/u
const FLAG_LETTER = /[\u{1f1e6}-\u{1f1ff}]/u
const EXTENDER = /[\p{Mn}\p{Me}\p{Mc}\u1160-\u11ff]|\u200c|\u200d|\ufe0e|\ufe0f/u
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u
const JOINER = '\u200d'
const EMOJI_SELECTOR = '\ufe0f'

/**
 * `text` cut into what a reader takes for one character: a letter with its marks, an emoji sequence, a flag. A small part
 * of UAX #29 that needs no tables but those of regular expressions.
 */
export function clusters(text: string): readonly string[] {
  const found: string[] = []
  for (const character of text) {
    const last = found.at(-1)
    if (last !== undefined && belongsTo(last, character)) found[found.length - 1] = last + character
    else found.push(character)
  }
  return found
}

function belongsTo(cluster: string, character: string): boolean {
  if (EXTENDER.test(character) || MODIFIER.test(character)) return true
  if (cluster.endsWith(JOINER) && PICTOGRAPH.test(character)) return true
  return FLAG_LETTER.test(character) && [...cluster].length === 1 && FLAG_LETTER.test(cluster)
}

/** Columns that one cluster takes in a terminal: 0, 1 or 2. */
export function clusterWidth(cluster: string): number {
  const [first = ''] = cluster
  if (FLAG_LETTER.test(first)) return cluster.length > first.length ? 2 : 1
  const isEmoji = EMOJI.test(first) || (cluster.includes(EMOJI_SELECTOR) && PICTOGRAPH.test(first))
  if (isEmoji || isWide(first.codePointAt(0) ?? 0)) return 2
  return ZERO_WIDTH.test(first) ? 0 : 1
}

function isWide(point: number): boolean {
  return WIDE_RANGES.some(([from, to]) => point >= from && point <= to)
}

/** Columns that a harmless one-line text takes. */
export function textWidth(text: string): number {
  return clusters(text).reduce((columns, cluster) => columns + clusterWidth(cluster), 0)
}

/** The beginning of `text` that fits into `columns`, with `…` at its end when something was cut off. */
export function fit(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let shown = ''
  let used = 0
  for (const cluster of clusters(text)) {
    const width = clusterWidth(cluster)
    if (used + width > columns - 1) break
    shown += cluster
    used += width
  }
  return columns > 0 ? `${shown}…` : ''
}

/** `text` in lines of at most `columns`, broken at spaces where there are any. Never empty. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line: string[] = []
  let used = 0
  for (const cluster of clusters(text)) {
    const width = clusterWidth(cluster)
    if (used + width > columns && line.length > 0) {
      const space = line.lastIndexOf(' ')
      const rest = space > 0 && cluster !== ' ' ? line.splice(space + 1) : []
      lines.push(line.join('').trimEnd())
      line = rest
      used = rest.reduce((sum, item) => sum + clusterWidth(item), 0)
      if (cluster === ' ' && line.length === 0) continue
    }
    line.push(cluster)
    used += width
  }
  return [...lines, line.join('')]
}
