import { machineInit, openTestPool, probeHere, startTestMachine } from '../../support/machine.ts'

/**
 * Starts a machine whose program never ends, says so, and waits to be killed. Arguments: kernel, initrd, root image, and the
 * folder of a pool from which it comes, which then has one more that waits.
 */
const [, , kernel = '', initrd = '', image = '', poolFolder] = process.argv
const guest = { kernel, initrd }
const init = {
  ...{ report: await probeHere(guest), guest, image },
  program: { args: ['/bin/busybox', 'sleep', '1000'] }
}
const pool = poolFolder === undefined ? undefined : openTestPool(poolFolder)
const machine =
  pool === undefined
    ? startTestMachine(init)
    : await pool.start(machineInit({ ...init, change: { tier: 'emulated' } }))
await machine.started
await pool?.settled()
console.log(JSON.stringify({ event: 'started', waiting: pool?.warmCount ?? 0 }))
await machine.finished
