import { escapeText } from './escape.ts'

/** A line of a chart. */
export interface ChartLine {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

/** What a chart shows. */
export interface ChartInit {
  readonly title: string
  /** What one step of each axis is. */
  readonly xName: string
  readonly yName: string
  readonly lines: readonly ChartLine[]
  /** Moments that are marked. */
  readonly marks?: readonly { readonly x: number; readonly what: string }[]
  /** True: the x axis grows by factors of ten. */
  readonly isLogarithmic?: boolean
}

const WIDTH = 720
const HEIGHT = 260
const LEFT = 64
const RIGHT = 16
const TOP = 40
const BOTTOM = 56
/** Told apart by people who see few colours too, and on white as on black (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#b09f00']
/** Lines are also told apart by their dashes. */
const DASHES = ['', '7 3', '2 3', '9 3 2 3', '1 4', '12 4', '4 4', '14 2']
/** Points of a line that are drawn at most; of more the largest of each stretch is. */
const POINTS_MAX = 480

/** A chart as an SVG element that needs nothing else. */
export function renderChart(init: ChartInit): string {
  const { title, lines, marks = [], isLogarithmic = false } = init
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x))
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y))
  const toX = scaleOf(bounds(xs, isLogarithmic), { from: LEFT, to: WIDTH - RIGHT, isLogarithmic })
  const [, highest] = extremes(ys)
  const top = highest < VALUE_MIN ? 1 : niceCeiling(highest)
  const toY = scaleOf([0, top], { from: HEIGHT - BOTTOM, to: TOP, isLogarithmic: false })
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escapeText(title)}</title>`,
    `<text x="${LEFT}" y="16" font-size="14" fill="currentColor">${escapeText(title)}</text>`,
    yAxis(toY, top),
    xAxis(toX, bounds(xs, isLogarithmic), isLogarithmic),
    text(WIDTH - RIGHT, HEIGHT - BOTTOM + 32, { words: init.xName, anchor: 'end' }),
    text(LEFT, TOP - 8, { words: init.yName, anchor: 'start' }),
    ...marks.map(({ x, what }) => mark(toX(x), what)),
    ...lines.map((line, index) => lineOf(line, index, { toX, toY })),
    legend(lines),
    '</svg>'
  ]
  return parts.join('\n')
}

/** Nothing that is measured is larger, or a smaller top of a scale; with what is, scales would be no numbers. */
const VALUE_MAX = 1e18
const VALUE_MIN = 1e-9

function isDrawable(value: number): boolean {
  return Math.abs(value) <= VALUE_MAX
}

type Scale = (value: number) => number

function extremes(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  for (const value of values) {
    if (!isDrawable(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low > high ? [0, 1] : [low, high]
}

function bounds(values: readonly number[], isLogarithmic: boolean): [number, number] {
  const [low, high] = extremes(values)
  if (!isLogarithmic) return [low, high === low ? low + 1 : high]
  return [Math.max(low, 1e-9), Math.max(high, low * 10)]
}

function scaleOf(
  [low, high]: readonly [number, number],
  o: { readonly from: number; readonly to: number; readonly isLogarithmic: boolean }
): Scale {
  const place = o.isLogarithmic ? Math.log : (value: number): number => value
  const span = place(high) - place(low) || 1
  return (value) => Number((o.from + ((place(value) - place(low)) / span) * (o.to - o.from)).toFixed(1))
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

/** A number for people: three digits, thousands as k, M and G. */
export function shortNumber(value: number): string {
  for (const [unit, name] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k']
  ] as const) {
    if (Math.abs(value) >= unit) return `${Number((value / unit).toPrecision(3))}${name}`
  }
  return String(Number(value.toPrecision(3)))
}

function text(
  x: number,
  y: number,
  o: { readonly words: string; readonly anchor: 'start' | 'middle' | 'end' }
): string {
  return `<text x="${x}" y="${y}" text-anchor="${o.anchor}" fill="currentColor" opacity="0.75">${escapeText(o.words)}</text>`
}

function yAxis(toY: Scale, top: number): string {
  return Array.from({ length: 5 }, (_, step) => {
    const y = toY((top * step) / 4)
    const line = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="currentColor" opacity="0.15"/>`
    return line + text(LEFT - 6, y + 4, { words: shortNumber((top * step) / 4), anchor: 'end' })
  }).join('\n')
}

function xAxis(toX: Scale, [low, high]: readonly [number, number], isLogarithmic: boolean): string {
  const values: number[] = []
  if (isLogarithmic) {
    for (let value = 10 ** Math.ceil(Math.log10(low) - 1e-9); value <= high * 1.0001; value *= 10)
      values.push(value)
  } else for (let step = 0; step <= 6; step++) values.push(low + ((high - low) * step) / 6)
  return values
    .map((value) => text(toX(value), HEIGHT - BOTTOM + 16, { words: shortNumber(value), anchor: 'middle' }))
    .join('\n')
}

function mark(x: number, what: string): string {
  const line = `<line x1="${x}" x2="${x}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="currentColor" opacity="0.5" stroke-dasharray="2 2"/>`
  return `<g>${line}<title>${escapeText(what)}</title>${text(x + 3, TOP + 10, { words: what, anchor: 'start' })}</g>`
}

function lineOf(line: ChartLine, index: number, { toX, toY }: { toX: Scale; toY: Scale }): string {
  const points = thinned(line.points.filter(([x, y]) => isDrawable(x) && isDrawable(y)))
  const path = points.map(([x, y]) => `${toX(x)},${toY(y)}`).join(' ')
  const style = `fill="none" stroke="${colourOf(index)}" stroke-width="2" stroke-dasharray="${DASHES[index % DASHES.length] ?? ''}"`
  return `<polyline points="${path}" ${style}><title>${escapeText(line.name)}</title></polyline>`
}

/** The colour of the line of this index, the same in every chart. */
function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? 'currentColor'
}

function thinned(points: ChartLine['points']): ChartLine['points'] {
  const stretch = Math.ceil(points.length / POINTS_MAX)
  if (stretch <= 1) return points
  const kept: (readonly [number, number])[] = []
  for (let from = 0; from < points.length; from += stretch) {
    const some = points.slice(from, from + stretch)
    kept.push(some.reduce((highest, point) => (point[1] > highest[1] ? point : highest)))
  }
  return kept
}

function legend(lines: readonly ChartLine[]): string {
  let x = LEFT
  return lines
    .map(({ name }, index) => {
      const stroke = `stroke="${colourOf(index)}" stroke-width="3" stroke-dasharray="${DASHES[index % DASHES.length] ?? ''}"`
      const sample = `<line x1="${x}" x2="${x + 22}" y1="${HEIGHT - 10}" y2="${HEIGHT - 10}" ${stroke}/>`
      const words = text(x + 28, HEIGHT - 6, { words: name, anchor: 'start' })
      x += 44 + 7 * Math.min(name.length, 24)
      return sample + words
    })
    .join('\n')
}
