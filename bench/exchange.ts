import { join } from 'node:path'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import type { Benchmark, Measure } from './harness.ts'

const READY_TIMEOUT_MS = 60_000
const FETCH_TIMEOUT_MS = 120_000

/** 256 MiB as blocks of 1 MiB, from the memory of one process to that of another over TCP, noise and yamux. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: 'exchange',
    unit: 'MB/s',
    better: 'higher',
    baselineName: 'bitswap of Helia',
    runs: 5,
    open: async () => {
      await using stack = new AsyncDisposableStack()
      const ours = await openSide(stack, 'ours')
      const baseline = await openSide(stack, 'helia')
      const opened = stack.move()
      return { ours, baseline, [Symbol.asyncDispose]: () => opened.disposeAsync() }
    }
  }
]

async function openSide(stack: AsyncDisposableStack, side: 'ours' | 'helia'): Promise<Measure> {
  const server = stack.use(await startPeer(side, 'serve'))
  const served = await server.event('ready', { timeoutMs: READY_TIMEOUT_MS })
  const client = stack.use(await startPeer(side, 'fetch'))
  await client.event('ready', { timeoutMs: READY_TIMEOUT_MS })
  let fetches = 0
  return async () => {
    const event = `fetched-${++fetches}`
    client.write(`${JSON.stringify({ ...served, event })}\n`)
    const { rate } = await client.event(event, { timeoutMs: FETCH_TIMEOUT_MS })
    return Number(rate)
  }
}

function startPeer(side: string, role: string): Promise<RunningProcess> {
  const args = [join(import.meta.dirname, 'exchange-peer.ts'), side, role]
  return startProcess({ command: process.execPath, args })
}
