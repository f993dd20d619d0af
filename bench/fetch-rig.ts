import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess, type RunningProcess } from '../test/support/process.ts'
import type { Timed } from './fetch-side.ts'

const READY_TIMEOUT_MS = 10 * 60_000
const FETCH_TIMEOUT_MS = 20 * 60_000
const MIB = 1024 * 1024

/** What one fetch took. */
export interface Fetched extends Timed {
  /** The server's resident set at its largest during the fetch, beyond what it had before. */
  readonly serverMib: number
  /** Processor time of either process meanwhile, all threads. */
  readonly clientCpuSeconds: number
  readonly serverCpuSeconds: number
}

/** A server that has the content, and fetches of new processes from it, each into an empty store. */
export interface FetchSide extends AsyncDisposable {
  fetch(): Promise<Fetched>
  /** Goes on with a new process as the server, which has served nothing yet. */
  restart(): Promise<void>
}

/** Where a side works, and which of `fetch-peer.ts` it is. */
export interface FetchSideInit {
  readonly side: string
  readonly folder: string
  readonly source: string
}

/** Imports the content in one process and serves it from another. */
export async function openFetchSide(o: FetchSideInit): Promise<FetchSide> {
  const imported = await importContent(o)
  let { server, where } = await startServer(o, imported)
  return {
    restart: async () => {
      await endPeer(o, server)
      ;({ server, where } = await startServer(o, imported))
    },
    fetch: async () => {
      await using client = await startPeer(o, 'fetch')
      await client.event('ready', { timeoutMs: READY_TIMEOUT_MS })
      client.write(`${JSON.stringify(where)}\n`)
      await client.event('connected', { timeoutMs: READY_TIMEOUT_MS })
      const before = await usage(server)
      client.write('go\n')
      const fetched = await client.event('fetched', { timeoutMs: FETCH_TIMEOUT_MS })
      const after = await usage(server)
      await endPeer(o, client)
      await rm(join(o.folder, `${o.side}-client`), { recursive: true, force: true })
      return {
        seconds: Number(fetched['seconds']),
        firstMs: Number(fetched['firstMs']),
        serverMib: Math.max(0, after.peakBytes - before.nowBytes) / MIB,
        clientCpuSeconds: Number(fetched['processorSeconds']),
        serverCpuSeconds: after.processorSeconds - before.processorSeconds
      }
    },
    [Symbol.asyncDispose]: async () => await endPeer(o, server)
  }
}

/** At once, but for a process that has a daemon beside it. */
async function endPeer({ side }: FetchSideInit, peer: RunningProcess): Promise<void> {
  if (side !== 'kubo') await peer.end({ signal: 'SIGKILL' })
  else {
    peer.endInput()
    await peer.ended
  }
}

async function startServer(
  o: FetchSideInit,
  imported: Record<string, unknown>
): Promise<{ server: RunningProcess; where: Record<string, unknown> }> {
  const server = await startPeer(o, 'serve', JSON.stringify(imported))
  return { server, where: await server.event('ready', { timeoutMs: READY_TIMEOUT_MS }) }
}

async function startPeer(o: FetchSideInit, role: string, ...more: string[]): Promise<RunningProcess> {
  const program = join(import.meta.dirname, 'fetch-peer.ts')
  const args = [program, o.side, role, o.folder, o.source, ...more]
  return await startProcess({ command: process.execPath, args })
}

async function importContent(o: FetchSideInit): Promise<Record<string, unknown>> {
  await using importing = await startPeer(o, 'import')
  const imported = await importing.event('imported', { timeoutMs: READY_TIMEOUT_MS })
  await importing.ended
  return imported
}

interface Usage {
  readonly nowBytes: number
  readonly peakBytes: number
  readonly processorSeconds: number
}

let usages = 0

async function usage(server: RunningProcess): Promise<Usage> {
  // An output gives the first event of a name.
  const name = `used-${++usages}`
  const answer = server.event(name, { timeoutMs: READY_TIMEOUT_MS })
  server.write(`${name}\n`)
  return (await answer) as unknown as Usage
}
