import { createInterface } from 'node:readline'
import { fillBlocks, startExchangeNode } from './exchange-nodes.ts'

/**
 * A process that serves 64 blocks of 1 MiB by bitswap: says where it is, and for each line on its
 * standard input the most memory that it has taken since it was ready.
 */

const MIB = 1024 * 1024
const PERIOD_MS = 10

const node = await startExchangeNode()
const cids = fillBlocks(node.blocks, { count: 64, length: MIB })
// As from a disk: each reading takes memory of its own.
const get = node.blocks.get.bind(node.blocks)
node.blocks.get = (key) => get(key)?.slice()
const { peerId, multiaddrs } = node.provider()
const begin = process.memoryUsage.rss()
let peak = begin
setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), PERIOD_MS)
say({ event: 'ready', peerId, multiaddrs, cids: cids.map((cid) => cid.toString()) })
for await (const line of createInterface(process.stdin)) say({ event: line, grownMib: (peak - begin) / MIB })
process.exit()

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
