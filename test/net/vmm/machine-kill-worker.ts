import { setTimeout as sleep } from 'node:timers/promises'
import { machineInit, openTestPool, probeHere, startTestMachine } from '../../support/machine.ts'
import { VM_SPARE_AFTER_MS } from '../../../vmm/constants.ts'

/**
 * Starts one machine after the other and ends each soon, until it is killed. Arguments: kernel, initrd, root image, and the folder
 * of a pool from which they come.
 */
const [, , kernel = '', initrd = '', image = '', poolFolder] = process.argv
const guest = { kernel, initrd }
/** Most of what can be left behind is made in the first moments of a machine. */
const AGE_MS_MAX = 60

const init = {
  ...{ report: await probeHere(guest), guest, image },
  program: { args: ['/bin/busybox', 'sleep', '1000'] }
}
/** So that a monitor waits, or is being started. */
const POOL_AGE_MS_MAX = 2 * VM_SPARE_AFTER_MS
// Where no machine waits, a monitor does.
const pool =
  poolFolder === undefined ? undefined : openTestPool(poolFolder, { warmMax: Math.random() < 0.5 ? 0 : 1 })
console.log(JSON.stringify({ event: 'ready' }))
for (;;) {
  await using machine =
    pool === undefined
      ? startTestMachine(init)
      : await pool.start(machineInit({ ...init, change: { tier: 'emulated' } }))
  void machine.started.catch(() => undefined)
  const isOld = pool !== undefined && Math.random() < 0.2
  await sleep(Math.random() * (isOld ? POOL_AGE_MS_MAX : AGE_MS_MAX))
}
