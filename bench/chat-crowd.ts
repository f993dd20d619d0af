import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ElastosNode } from '#node'
import { builtNode } from './built-node.ts'

/**
 * A process of the `chat` benchmark: `chat-crowd.ts FOLDER COUNT BOOTSTRAP`. Many nodes that happen to be there, in one
 * process. Prints a JSON line when they know each other and ends with its standard input.
 */

/** How many nodes start at the same time. */
const STARTS_AT_A_TIME = 5
/** A node that has so many peers in its routing table has found its place. */
const TABLE_ENOUGH = 15
const SETTLE_MS_MAX = 20_000
const SETTLE_POLL_MS = 100

async function main([folder = '', countText = '', bootstrap = '']: readonly string[]): Promise<void> {
  const count = Number(countText)
  const { startNode } = await builtNode()
  await using stack = new AsyncDisposableStack()
  const nodes: ElastosNode[] = []
  while (nodes.length < count) {
    const some = Math.min(STARTS_AT_A_TIME, count - nodes.length)
    const starting = Array.from({ length: some }, async (_, index) =>
      stack.use(
        await startNode({
          dataFolder: join(folder, `crowd-${nodes.length + index}`),
          reach: 'local',
          listen: ['/ip4/127.0.0.1/tcp/0'],
          bootstrap: [bootstrap],
          powers: { isControlled: false }
        })
      )
    )
    nodes.push(...(await Promise.all(starting)))
  }
  await settled(nodes)
  const tables = nodes.map(({ host }) => host.reachability().tableSize)
  console.log(JSON.stringify({ event: 'ready', tableSizeMin: Math.min(...tables) }))
  for await (const _ of createInterface(process.stdin)) continue
}

async function settled(nodes: readonly ElastosNode[]): Promise<void> {
  const enough = Math.min(TABLE_ENOUGH, nodes.length - 1)
  const deadline = performance.now() + SETTLE_MS_MAX
  while (performance.now() < deadline) {
    if (nodes.every(({ host }) => host.reachability().tableSize >= enough)) return
    await sleep(SETTLE_POLL_MS)
  }
}

await main(process.argv.slice(2))
