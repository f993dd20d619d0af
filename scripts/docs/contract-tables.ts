import * as z from 'zod'
import { CONTRACTS, type AnyCommand } from '#providers'

/** A part of a schema as JSON Schema writes it, as far as the tables show it. */
interface Shape {
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly string[]
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
}

/** Every provider contract with its commands, as sections of a document. */
export function writeContracts(): string {
  const sections = [...CONTRACTS].map(([reference, contract]) => {
    const rows = Object.entries(contract.commands).map(([verb, command]) =>
      [`${contract.name}/${verb}`, fields(command.params), answer(command), resourceOf(command)]
        .map((cell) => `\`${cell.replaceAll('|', '\\|')}\``)
        .concat(command.summary)
    )
    const lines = [
      ['command', 'parameters', 'answer', 'acts on', 'for a person'],
      ['---', '---', '---', '---', '---']
    ]
    const head = contract.isHostOnly === true ? 'Called by the host alone. ' : ''
    const errors = contract.errors.map((code) => `\`${code}\``).join(', ')
    return [
      `### \`${reference}\`: ${contract.summary}`,
      [...lines, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
      `${head}Codes: ${errors === '' ? 'none' : errors}.`
    ].join('\n\n')
  })
  return sections.join('\n\n')
}

function answer(command: AnyCommand): string {
  if (command.kind === 'call') return fields(command.result)
  const items = `items: ${fields(command.item)}`
  return command.input === undefined ? items : `${items}; takes ${fields(command.input)}`
}

/** For its example, with what comes from the parameters as `…`. */
function resourceOf(command: AnyCommand): string {
  // Each command is asked with its own example.
  const resource = (command.resource as (params: unknown) => string)(command.example)
  const values = Object.values(command.example as Record<string, unknown>).filter(
    (value) => typeof value === 'string'
  )
  const found = values.find((value) => resource.includes(value))
  return found === undefined || found === resource ? resource : resource.replace(found, '…')
}

/** Names of the fields; `?` after those that may be absent. */
function fields(schema: z.ZodType): string {
  return shapeText(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }))
}

function shapeText({ properties, required = [], anyOf, oneOf }: Shape): string {
  const choices = anyOf ?? oneOf
  if (choices !== undefined) return choices.map(shapeText).join(' | ')
  const names = Object.entries(properties ?? {}).map(([name, property]) => {
    const kind = (property as { const?: unknown }).const
    return kind === undefined
      ? `${name}${required.includes(name) ? '' : '?'}`
      : `${name}: ${JSON.stringify(kind)}`
  })
  return `{${names.join(', ')}}`
}
