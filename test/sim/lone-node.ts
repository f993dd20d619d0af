/** A program for a virtual process: a simulation in which nothing travels, and one too many. Prints codes as JSON. */
import { pbkdf2 } from 'node:crypto'
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
const passedMs = Date.now() - startMs
const thrown = setTimeout(() => {
  throw Object.assign(new Error('of a timer'), { code: 'ERR_OF_A_TIMER' })
}, 1)
await sim.run({ durationMs: 10 }).catch(note)
clearTimeout(thrown)
const native = Promise.withResolvers<undefined>()
setTimeout(() => {
  pbkdf2('words', 'salt', 1, 32, 'sha256', () => native.resolve(undefined))
}, 1)
await sim.complete(native.promise).catch(note)
await native.promise
console.log(JSON.stringify({ refusals, passedMs, unit: Math.random() }))
