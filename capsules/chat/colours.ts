/** How many colours a terminal has. */
export type ColourDepth = 'none' | '16' | '256'

// Readable on black and on white alike.
const PALETTE_256: readonly number[] = [
  32, 35, 37, 64, 67, 70, 97, 98, 130, 132, 133, 136, 161, 166, 168, 172, 173, 203
]
const PALETTE_16: readonly number[] = [31, 32, 33, 34, 35, 36]

/** Select Graphic Rendition: ECMA-48 §8.3.117. */
const sgr = (codes: string, text: string): string => `\u001b[${codes}m${text}\u001b[m`

/** Ways to make text stand out. With depth `none` the text stays as it is. */
export interface Paint {
  /** In the colour of a person: always the same one for a did. */
  author(did: string, text: string): string
  dim(text: string): string
  bold(text: string): string
  bar(text: string): string
  error(text: string): string
}

/** A paint for a terminal. */
export function createPaint(depth: ColourDepth): Paint {
  const paint = (codes: string, text: string): string => (depth === 'none' ? text : sgr(codes, text))
  return {
    author: (did, text) => paint(authorCodes(did, depth), text),
    dim: (text) => paint('2', text),
    bold: (text) => paint('1', text),
    bar: (text) => paint('7', text),
    error: (text) => paint('31', text)
  }
}

function authorCodes(did: string, depth: ColourDepth): string {
  const palette = depth === '256' ? PALETTE_256 : PALETTE_16
  const colour = palette[hash(did) % palette.length] ?? 0
  return depth === '256' ? `38;5;${colour}` : String(colour)
}

/** FNV-1a: spreads, nothing more. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  }
  return state >>> 0
}
