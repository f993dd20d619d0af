import type { CliContext, CommandInput } from '../context.ts'
import { printResult } from '../output.ts'
import { runSimulator } from '../simulation.ts'

interface Listed {
  readonly name: string
  readonly about: string
  readonly depth: string
  readonly nodes: number
  readonly duration?: string
}

/** `elastos sim list` */
export async function run(_input: CommandInput, context: CliContext): Promise<undefined> {
  const scenarios: Listed[] = []
  for await (const said of runSimulator(context, ['list'])) scenarios.push(said as unknown as Listed)
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  const lines = scenarios.map(({ name, about, depth, nodes, duration }) => {
    const size = `${depth}, ${nodes} nodes${duration === undefined ? '' : `, ${duration}`}`
    return `${name.padEnd(width)}  ${about} (${size})`
  })
  await printResult(context, { scenarios }, lines)
}
