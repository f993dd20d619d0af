import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess, type RunningProcess } from '../test/support/process.ts'

const READY_TIMEOUT_MS = 10 * 60_000
const FETCH_TIMEOUT_MS = 20 * 60_000
const MIB = 1024 * 1024

/** What one fetch took. */
export interface Fetched {
  readonly seconds: number
  /** Until the first byte of the content, not of its index. */
  readonly firstMs: number
  /** What the server's memory grew by meanwhile. */
  readonly serverMib: number
}

/** A server that has the content, and fetches of new processes from it, each into an empty store. */
export interface FetchSide extends AsyncDisposable {
  fetch(): Promise<Fetched>
}

/** Starts the server of a side; see `fetch-peer.ts`. */
export async function openFetchSide(o: { side: string; folder: string; source: string }): Promise<FetchSide> {
  const start = async (role: string): Promise<RunningProcess> => {
    const args = [join(import.meta.dirname, 'fetch-peer.ts'), o.side, role, o.folder, o.source]
    return await startProcess({ command: process.execPath, args })
  }
  const server = await start('serve')
  const where = await server.event('ready', { timeoutMs: READY_TIMEOUT_MS })
  const memory = async (): Promise<Record<string, unknown>> => {
    const answer = server.event('memory', { timeoutMs: READY_TIMEOUT_MS })
    server.write('memory\n')
    return await answer
  }
  return {
    fetch: async () => {
      await using client = await start('fetch')
      await client.event('ready', { timeoutMs: READY_TIMEOUT_MS })
      client.write(`${JSON.stringify(where)}\n`)
      await client.event('connected', { timeoutMs: READY_TIMEOUT_MS })
      const { nowBytes } = await memory()
      client.write('go\n')
      const { seconds, firstMs } = await client.event('fetched', { timeoutMs: FETCH_TIMEOUT_MS })
      const { peakBytes } = await memory()
      await client.end({ signal: 'SIGKILL' })
      await rm(join(o.folder, `${o.side}-client`), { recursive: true, force: true })
      const serverMib = Math.max(0, Number(peakBytes) - Number(nowBytes)) / MIB
      return { seconds: Number(seconds), firstMs: Number(firstMs), serverMib }
    },
    [Symbol.asyncDispose]: async () => {
      await server.end({ signal: 'SIGKILL' })
    }
  }
}
