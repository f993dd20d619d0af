import { join } from 'node:path'
import type * as node from '#node'

/** The module that was built, as whoever embeds a node has it: sources cost every process seconds before it does anything. */
export async function builtNode(): Promise<Pick<typeof node, 'startNode'>> {
  const path = join(import.meta.dirname, '..', 'dist', 'index.mjs')
  return (await import(path)) as Pick<typeof node, 'startNode'>
}
