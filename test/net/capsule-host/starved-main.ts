/** Takes from a pool of capsule processes when this process has no descriptor left to start one with. */
import { openSync } from 'node:fs'
import { createCapsulePool, DEFAULT_CAPSULE_LIMITS, systemPowers } from '#capsule-host'
import { errorCode, silentLogger, systemClock } from '#contracts'
import { SANDBOX } from '../../unit/capsule-host/machine.ts'

const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
await using pool = createCapsulePool({ ...components, sandbox: SANDBOX })
try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  // None is left.
}
pool.take(DEFAULT_CAPSULE_LIMITS)
await pool.settled()
const { failure } = await systemPowers.spawn({ command: '/bin/true', args: [], hasStatus: true }).ended
console.log(`alive after ${String(errorCode(failure))}`)
