import { fileURLToPath } from 'node:url'
import { silentLogger, systemClock } from '#contracts'
import { DEFAULT_CAPSULE_LIMITS, probeSandbox, startCapsuleProcess, systemPowers } from '#capsule-host'
import { WAITS } from './programs.ts'

// A process that runs one capsule until it is killed, and says when the capsule is up.
const guestEntry = fileURLToPath(new URL('../../../capsule-host/guest/main.ts', import.meta.url))
const components = { powers: systemPowers, clock: systemClock, logger: silentLogger }
await using capsule = startCapsuleProcess(
  { ...components, sandbox: await probeSandbox(components, { guestEntry }) },
  {
    name: 'waits',
    module: WAITS,
    limits: DEFAULT_CAPSULE_LIMITS,
    stdin: process.stdin,
    stdout: { write: () => process.stdout.write('the capsule is up\n') as unknown as undefined },
    stderr: { write: () => undefined },
    signal: new AbortController().signal
  }
)
await capsule.finished
