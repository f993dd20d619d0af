import { writeSync } from 'node:fs'
import { simulate } from '#sim'
import { realMonotonicMs } from '../sim/powers.ts'

/**
 * A process of the benchmark of whole nodes: `node --import ./sim/preload.ts bench/sim-full-nodes.ts NODES MINUTES`. Lets nodes
 * join and publish and fetch now and then for so many virtual minutes, and prints what came as a JSON line.
 */

const PAUSE_MS = 10_000
/** Like the trial whose figure is to be beaten: somebody publishes and somebody else fetches so often. */
const OPERATIONS = 40

async function main([nodes = '50', minutes = '10']: readonly string[]): Promise<void> {
  const startedAtMs = realMonotonicMs()
  const cpuBefore = process.cpuUsage()
  const sim = await simulate({ seed: 1, nodeCount: Number(nodes) })
  const joinedAtMs = realMonotonicMs()
  const joinedVirtualMs = sim.nowMs()
  const untilMs = Number(minutes) * 60_000
  for (let done = 0; sim.nowMs() < untilMs; done++) {
    const nextMs = Math.min(sim.nowMs() + PAUSE_MS, untilMs)
    if (done < OPERATIONS) {
      const at = 1 + (done % (Number(nodes) - 1))
      const cid = await sim.publish(`content ${done}`, { at })
      await sim.get(cid, { at: (at * 7) % Number(nodes) })
    }
    if (sim.nowMs() < nextMs) await sim.run({ durationMs: nextMs - sim.nowMs() })
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  const result = {
    virtualMs: sim.nowMs(),
    realMs: realMonotonicMs() - startedAtMs,
    processorMs: (user + system) / 1_000,
    joinVirtualMs: joinedVirtualMs,
    joinRealMs: joinedAtMs - startedAtMs,
    traceHash: sim.traceHash(),
    fetched: sim.history.fetched.length
  }
  writeSync(1, `${JSON.stringify({ event: 'done', ...result })}\n`)
  process.exit()
}

await main(process.argv.slice(2))
