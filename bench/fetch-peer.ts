import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { helia, ours } from './fetch-nodes.ts'
import { curl, kubo, tar, tls } from './fetch-plain.ts'
import type { Fetch, Side, SideInit, Where } from './fetch-side.ts'

/**
 * A process of the `fetch-…` benchmarks: `fetch-peer.ts SIDE import|serve|fetch FOLDER SOURCE [IMPORTED]`. Importing, it
 * prints what it imported and ends. Serving, it prints where the content is, and answers each line with an event of that name:
 * the memory that it has now and the most that it had since the last such line. Fetching, it connects, answers the line that says where with
 * `connected` half a second later, and the next with `fetched` once the content is in files of its own.
 */

/** How long the connection has been there when the fetch begins. */
const SETTLE_MS = 500

const SIDES: Readonly<Record<string, Side>> = { ours, helia, tls, tar, curl, kubo }

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

/** The resident set now, and at its largest since this was called last; where Linux does not tell, now only. */
function memory(): { readonly nowBytes: number; readonly peakBytes: number } {
  const nowBytes = process.memoryUsage.rss()
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    // 5: the largest is counted anew (proc(5)).
    writeFileSync('/proc/self/clear_refs', '5')
    return { nowBytes, peakBytes: Math.max(nowBytes, Number(kilobytes ?? 0) * 1024) }
  } catch {
    return { nowBytes, peakBytes: nowBytes }
  }
}

/** Processor seconds of all threads of this process. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function serve(side: Side, init: SideInit, imported: Where): Promise<void> {
  const where = await side.serve(init, imported)
  say({ ...where, event: 'ready' })
  for await (const name of createInterface(process.stdin)) {
    say({ event: name, ...memory(), processorSeconds: processorSeconds() })
  }
}

async function fetchOnce(side: Side, name: string, init: SideInit): Promise<void> {
  say({ event: 'ready' })
  let fetch: Fetch | undefined
  for await (const line of createInterface(process.stdin)) {
    if (fetch === undefined) {
      fetch = await side.connect(init, JSON.parse(line) as Where)
      // What nodes of either side tell each other once they are connected is no part of a fetch.
      await setTimeout(SETTLE_MS)
      say({ event: 'connected' })
      continue
    }
    const folder = join(init.folder, `${name}-client`)
    await mkdir(folder, { recursive: true })
    const before = processorSeconds()
    const timed = await fetch(join(folder, 'copy'))
    say({ event: 'fetched', ...timed, processorSeconds: processorSeconds() - before })
  }
}

const [name = '', role = '', folder = '', source = '', imported = '{}'] = process.argv.slice(2)
const side = SIDES[name]
if (side === undefined) throw new Error(`expected one of ${Object.keys(SIDES).join(', ')}`)
if (role === 'import') say({ event: 'imported', ...(await side.import?.({ folder, source })) })
else if (role === 'serve') await serve(side, { folder, source }, JSON.parse(imported) as Where)
else await fetchOnce(side, name, { folder, source })
await side.end?.()
process.exit()
