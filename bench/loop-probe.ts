import { writeFileSync } from 'node:fs'
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/**
 * Loaded into a node by `NODE_OPTIONS=--import=…`: at each SIGUSR2 it writes what happened since the last one to the
 * file that `LOOP_PROBE` names, and begins anew.
 */

/** What a process says of its event loop and its memory. */
export interface LoopReport {
  /** Of a thousand times that the loop came round, the longest but one took so many milliseconds too long. */
  readonly stallMs: number
  readonly longestMs: number
  /** The same in processor time of its thread: what a busy machine does not add to. */
  readonly stallCpuMs: number
  readonly longestCpuMs: number
  /** The resident set at its largest, and at the beginning, in MiB. */
  readonly peakMib: number
  readonly beginMib: number
}

const RESOLUTION_MS = 1
const MEMORY_PERIOD_MS = 25
const MIB = 1024 * 1024

function threadMicros(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

function probe(path: string): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const turns = createHistogram()
  let usedMicros = threadMicros()
  setInterval(() => {
    const used = threadMicros()
    turns.record(Math.max(1, used - usedMicros))
    usedMicros = used
  }, RESOLUTION_MS).unref()
  let begin = process.memoryUsage.rss()
  let peak = begin
  setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), MEMORY_PERIOD_MS).unref()
  process.on('SIGUSR2', () => {
    const report: LoopReport = {
      stallMs: Math.max(0, delays.percentile(99.9) / 1e6 - RESOLUTION_MS),
      longestMs: Math.max(0, delays.max / 1e6 - RESOLUTION_MS),
      stallCpuMs: turns.percentile(99.9) / 1e3,
      longestCpuMs: turns.max / 1e3,
      peakMib: Math.max(peak, process.memoryUsage.rss()) / MIB,
      beginMib: begin / MIB
    }
    delays.reset()
    turns.reset()
    begin = peak = process.memoryUsage.rss()
    writeFileSync(path, `${JSON.stringify(report)}\n`)
  })
}

const path = process.env['LOOP_PROBE']
// Children of the node inherit its environment; they are not what is measured.
delete process.env['LOOP_PROBE']
if (path !== undefined) probe(path)
