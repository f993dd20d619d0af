import { join } from 'node:path'
import { startProcess } from '../test/support/process.ts'
import type { DhtWork } from './dht-network.ts'
import type { Measure, Sides } from './harness.ts'

const READY_TIMEOUT_MS = 170_000
const WORK_TIMEOUT_MS = 120_000

/** A network of the DHT benchmarks: what runs in it, with how many nodes, and how often something is done for one value. */
export interface DhtNetworkInit {
  readonly side: 'ours' | 'stock' | 'hyperdht'
  readonly nodes: number
  readonly work: DhtWork
  readonly operations: number
}

/** Two networks of their own processes, side by side. */
export async function openDhtNetworks(ours: DhtNetworkInit, baseline: DhtNetworkInit): Promise<Sides> {
  await using stack = new AsyncDisposableStack()
  const sides = { ours: await openNetwork(stack, ours), baseline: await openNetwork(stack, baseline) }
  const opened = stack.move()
  return { ...sides, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

async function openNetwork(stack: AsyncDisposableStack, init: DhtNetworkInit): Promise<Measure> {
  const { side, nodes, work, operations } = init
  const args = [join(import.meta.dirname, 'dht-network.ts'), side, String(nodes)]
  const network = stack.use(await startProcess({ command: process.execPath, args }))
  await network.event('ready', { timeoutMs: READY_TIMEOUT_MS })
  let runs = 0
  return async () => {
    const event = `done-${++runs}`
    network.write(`${JSON.stringify({ event, work, operations })}\n`)
    const { value } = await network.event(event, { timeoutMs: WORK_TIMEOUT_MS })
    return Number(value)
  }
}
