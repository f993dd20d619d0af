/** A program for a virtual process: a simulation in which nothing travels, and one too many. Prints codes as JSON. */
import { errorCode, errorMessage } from '#contracts'
import { simulate } from '#sim'

const refusals: unknown[] = []
const note = (error: unknown): void => {
  refusals.push([errorCode(error), errorMessage(error)])
}

await simulate({ seed: -1, nodeCount: 1 }).catch(note)
await simulate({ seed: 1, nodeCount: 0 }).catch(note)
await simulate({ seed: 1, nodeCount: 1, packetLossRatio: 1 }).catch(note)
await using sim = await simulate({ seed: 1, nodeCount: 1 })
await sim.check().catch(note)
await simulate({ seed: 1, nodeCount: 1 }).catch(note)
const startMs = Date.now()
await sim.run({ durationMs: 86_400_000 })
await sim.until('never', () => false, 1_000).catch(note)
await Promise.all([sim.run({ durationMs: 1 }), sim.run({ durationMs: 1 }).catch(note)])
console.log(JSON.stringify({ refusals, passedMs: Date.now() - startMs, unit: Math.random() }))
