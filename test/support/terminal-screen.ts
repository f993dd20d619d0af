import { clusters, clusterWidth } from '../../capsules/chat/width.ts'

/** What a person sees on a terminal after some output. */
export interface TerminalScreen {
  /** The rows as text without colours, trailing blanks cut. */
  readonly rows: readonly string[]
  /** Zero-based. */
  readonly cursor: { readonly row: number; readonly column: number }
  /** Control sequences other than those for position, erasing, colours and the cursor. */
  readonly foreign: readonly string[]
}

// ESC [ … final byte; any other escape; any other control character.
// eslint-disable-next-line no-control-regex -- these are what is looked for
const TOKEN = /\u001b\[([0-9;?]*)([A-Za-z])|\u001b.|[\u0000-\u001f\u007f-\u009f]/gu

/** A small terminal without wrapping: enough to check what the chat draws. */
export function showOnTerminal(output: string, size: { columns: number; rows: number }): TerminalScreen {
  const grid = Array.from({ length: size.rows }, () => new Map<number, string>())
  const cursor = { row: 0, column: 0 }
  const foreign: string[] = []
  const write = (text: string): void => {
    for (const cluster of clusters(text)) {
      const row = grid[cursor.row]
      const width = clusterWidth(cluster)
      if (row === undefined || cursor.column + width > size.columns)
        foreign.push(`beyond the edge: ${cluster}`)
      else row.set(cursor.column, cluster)
      if (width === 2) row?.set(cursor.column + 1, '')
      cursor.column += width
    }
  }
  let at = 0
  for (const token of output.matchAll(TOKEN)) {
    write(output.slice(at, token.index))
    at = token.index + token[0].length
    const [, parameters = '', final] = token
    if (final === 'H') {
      const [row = 1, column = 1] = parameters.split(';').map(Number)
      cursor.row = row - 1
      cursor.column = column - 1
    } else if (final === 'K') {
      for (const column of grid[cursor.row]?.keys() ?? []) {
        if (column >= cursor.column) grid[cursor.row]?.delete(column)
      }
    } else if (final !== 'm' && !(parameters === '?25' && (final === 'h' || final === 'l'))) {
      foreign.push(token[0])
    }
  }
  write(output.slice(at))
  const rows = grid.map((row) =>
    Array.from({ length: size.columns }, (_, column) => row.get(column) ?? ' ')
      .join('')
      .trimEnd()
  )
  return { rows, cursor, foreign }
}
