import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { Random } from '#contracts'
import { startProcess } from '../../support/process.ts'

const WORKER = fileURLToPath(import.meta.resolve('./store-worker.ts'))
const KILL_AFTER_MS_MAX = 1_500
/** It hashes all that the processes before it left; on a busy machine that takes its time. */
const OPEN_TIMEOUT_MS = 120_000

/** What the processes that were killed said before; JSON. */
export interface ToldByStore {
  /** Pins promised and not given up since. */
  kept: string[]
  kills: number
  /** Promises of all processes together. */
  promises: number
}

/** Nothing yet. */
export function createToldByStore(): ToldByStore {
  return { kept: [], kills: 0, promises: 0 }
}

/**
 * Starts a process over the store, asserts that it found nothing wrong and every pin that was promised, and kills it at a
 * moment of its work.
 */
export async function killStore(
  folder: string,
  told: ToldByStore,
  random: Pick<Random, 'unit'>
): Promise<void> {
  await using worker = await startProcess({ command: process.execPath, args: [WORKER, folder] })
  const opened = (await worker.event('opened', { timeoutMs: OPEN_TIMEOUT_MS })) as unknown as {
    corrupt: string[]
    incomplete: string[]
    pinned: string[]
  }
  assert.deepEqual([opened.corrupt, opened.incomplete], [[], []], `after ${told.kills} kills`)
  const pinned = new Set(opened.pinned)
  for (const cid of told.kept) assert.ok(pinned.has(cid), `${cid} was promised and is not pinned`)
  await new Promise((resolve) => setTimeout(resolve, random.unit() * KILL_AFTER_MS_MAX))
  worker.signal('SIGKILL')
  await worker.ended
  const kept = new Set(opened.pinned)
  // A line that the kill cut off promised nothing.
  for (const line of worker.stdout.text().split('\n').slice(0, -1)) {
    const { event, cid } = JSON.parse(line) as { event: string; cid?: string }
    if (cid === undefined) continue
    if (event === 'kept') {
      kept.add(cid)
      told.promises++
    } else kept.delete(cid)
  }
  told.kept = [...kept]
  told.kills++
}
