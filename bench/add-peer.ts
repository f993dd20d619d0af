/**
 * One import, measured from inside: adds a file to a new store and says how long it took until all of it was on the
 * disk, how late timers were meanwhile, and how much memory it took. Arguments: data folder, file; with `nothing` for a
 * file it only waits.
 */
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argv, memoryUsage, resourceUsage, stdout, threadCpuUsage } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { LevelDatastore } from 'datastore-level'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { startContent } from '#content'

/** As long as an import may take. */
const WAIT_MS = 5_000
const [, , folder = '', file = ''] = argv
const datastore = new LevelDatastore(join(folder, 'db'))
await datastore.open()
{
  await using content = await startContent({
    routing: 'off',
    datastore,
    blocks: join(folder, 'blocks'),
    isDenied: () => false,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  })
  // What is loaded with the first add, and compiled by it, is not what is measured.
  await content.addFiles([{ path: 'warm', content: new Uint8Array(3_000_000) }])
  const before = memoryUsage.rss()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const turns = watchTurns()
  const startedAt = performance.now()
  const { bytes } = file === 'nothing' ? { bytes: await wait() } : await content.add(file)
  const seconds = (performance.now() - startedAt) / 1000
  delay.disable()
  const turnMs = turns.end()
  const peakMiB = resourceUsage().maxRSS / 1024 - before / 1024 ** 2
  const stallMs = delay.percentile(99.9) / 1e6
  stdout.write(
    `${JSON.stringify({ seconds, bytes, stallMs, stallMaxMs: delay.max / 1e6, turnMs, peakMiB })}\n`
  )
}
await datastore.close()

/**
 * How long this thread itself kept a timer waiting, 99.9th percentile: the processor time between two ticks of a
 * millisecond. Unlike how late the tick came, it does not count what other processes took.
 */
function watchTurns(): { end(): number } {
  const turns: number[] = []
  let before = threadCpuUsage()
  const timer = setInterval(() => {
    const now = threadCpuUsage()
    turns.push((now.user + now.system - before.user - before.system) / 1000)
    before = now
  }, 1)
  return {
    end: () => {
      clearInterval(timer)
      turns.sort((a, b) => a - b)
      return turns[Math.floor(turns.length * 0.999)] ?? 0
    }
  }
}

async function wait(): Promise<number> {
  await setTimeout(WAIT_MS)
  return 0
}
