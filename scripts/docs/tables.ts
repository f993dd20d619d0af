import { LAYERS } from '../layers.js'
import { writeContracts } from './contract-tables.ts'
import { readErrorCodes, readLimits } from './sources.ts'

/** Writes the Markdown that stands between a pair of markers. */
export type TableWriter = () => string | Promise<string>

/** What a document may ask for with `<!-- generated: NAME -->` … `<!-- end of generated -->`. */
export const TABLES: Readonly<Record<string, TableWriter>> = {
  layers: writeLayers,
  errors: writeErrors,
  commands: writeCommands,
  limits: writeLimits,
  contracts: writeContracts
}

function writeLayers(): string {
  return table(
    ['folder', 'holds', 'may import'],
    LAYERS.map(({ folder, holds, mayImport, mayImportTypesOf = [] }) => [
      code(folder),
      holds,
      [...mayImport, ...mayImportTypesOf.map((name) => `${name} (types)`)].join(', ') || '–'
    ])
  )
}

async function writeErrors(): Promise<string> {
  const { exitCodeOf } = await import('../../cli/exit-codes.ts')
  return byFolder(readErrorCodes(), ['code', 'exit', 'about'], ({ code: name, about }) => [
    code(name),
    String(exitCodeOf(name)),
    about
  ])
}

function writeLimits(): string {
  return byFolder(readLimits(), ['name', 'value', 'about'], ({ name, value, about }) => [
    code(name),
    code(value),
    about
  ])
}

async function writeCommands(): Promise<string> {
  const { COMMANDS, COMMAND_GROUPS } = await import('../../cli/command-table.ts')
  const sections = COMMANDS.map(({ path, args, options, summary, example }) => {
    const lines = [
      `### ${code(['elastos', ...path, ...(args ?? [])].join(' '))}`,
      '',
      summary,
      '',
      `    ${example}`,
      ''
    ]
    const rows = (options ?? []).map((option) => [code(option.flags), option.summary])
    return rows.length === 0
      ? lines.join('\n')
      : `${lines.join('\n')}\n${table(['option', 'what it does'], rows)}`
  })
  const groups = Object.entries(COMMAND_GROUPS).map(([name, about]) => [code(`elastos ${name}`), about])
  return [table(['group', 'about'], groups), ...sections].join('\n\n')
}

function byFolder<T extends { folder: string }>(
  items: readonly T[],
  head: readonly string[],
  row: (item: T) => readonly string[]
): string {
  const sections = LAYERS.flatMap(({ folder }) => {
    const own = items.filter((item) => item.folder === folder)
    return own.length === 0 ? [] : [`### ${folder}\n\n${table(head, own.map(row))}`]
  })
  return sections.join('\n\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Inside backticks `<` is itself; elsewhere Markdown would take it for HTML. */
function cell(text: string): string {
  const escaped = text.replaceAll('|', '\\|')
  return escaped.startsWith('`') ? escaped : escaped.replaceAll('<', '&lt;')
}

function code(text: string): string {
  return `\`${text}\``
}
