import type { ObjectHolders } from '../series.ts'
import { escapeText } from './escape.ts'

/** Objects that the map shows, those with fewest holders first. */
export const MAP_OBJECTS_MAX = 120
/** Columns of the map; of more nodes some share one. */
export const MAP_COLUMNS_MAX = 240

const CELL = 6
const LABEL_WIDTH = 150
const LABEL_CHARACTERS = 22

/** Who holds what, as an SVG element: a row for each object, a column for each node or some of them. */
export function renderHoldersMap(holders: readonly ObjectHolders[], nodeCount: number): string {
  const shown = holders
    .toSorted((a, b) => a.holders.length - a.goal - (b.holders.length - b.goal))
    .slice(0, MAP_OBJECTS_MAX)
  const columns = Math.max(Math.min(nodeCount, MAP_COLUMNS_MAX), 1)
  const width = LABEL_WIDTH + columns * CELL + 40
  const rows = shown.map((object, row) => rowOf(object, row, { columns, nodeCount }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${shown.length * CELL * 1.5 + 8}" role="img" font-family="sans-serif" font-size="7">`,
    '<title>Who holds what</title>',
    ...rows,
    '</svg>'
  ].join('\n')
}

function rowOf(
  { object, bytes, goal, holders }: ObjectHolders,
  row: number,
  { columns, nodeCount }: { readonly columns: number; readonly nodeCount: number }
): string {
  const y = row * CELL * 1.5 + 4
  const perColumn = new Map<number, number>()
  for (const node of holders) {
    const column = Math.min(Math.floor((node * columns) / Math.max(nodeCount, 1)), columns - 1)
    if (column >= 0) perColumn.set(column, (perColumn.get(column) ?? 0) + 1)
  }
  const colour = holders.length === 0 ? '#d00000' : holders.length < goal ? '#d55e00' : '#0072b2'
  const cells = [...perColumn].map(
    ([column, count]) =>
      `<rect x="${LABEL_WIDTH + column * CELL}" y="${y}" width="${CELL - 1}" height="${CELL}" fill="${colour}" opacity="${count > 1 ? 1 : 0.8}"/>`
  )
  const label = object.length > LABEL_CHARACTERS ? `${object.slice(0, LABEL_CHARACTERS)}…` : object
  const about = `${object}: ${bytes} bytes, ${holders.length} of ${goal} copies`
  return [
    `<g><title>${escapeText(about)}</title>`,
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${columns * CELL}" height="${CELL}" fill="currentColor" opacity="0.06"/>`,
    `<text x="${LABEL_WIDTH - 4}" y="${y + CELL}" text-anchor="end" fill="currentColor">${escapeText(label)}</text>`,
    ...cells,
    `<text x="${LABEL_WIDTH + columns * CELL + 4}" y="${y + CELL}" fill="currentColor">${holders.length}/${goal}</text></g>`
  ].join('')
}
