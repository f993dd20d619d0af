import {
  machineInit,
  openTestPool,
  probeHere,
  spareSettled,
  startTestMachine
} from '../../support/machine.ts'

/**
 * Starts a machine whose program never ends, says so, and waits to be killed. Arguments: kernel, initrd, root image, the folder of a
 * pool from which it comes, and how many machines then wait there beside it: one, or none but a monitor.
 */
const [, , kernel = '', initrd = '', image = '', poolFolder, warmMax] = process.argv
const guest = { kernel, initrd }
const init = {
  ...{ report: await probeHere(guest), guest, image },
  program: { args: ['/bin/busybox', 'sleep', '1000'] }
}
const pool = poolFolder === undefined ? undefined : openTestPool(poolFolder, { warmMax: Number(warmMax) })
const machine =
  pool === undefined
    ? startTestMachine(init)
    : await pool.start(machineInit({ ...init, change: { tier: 'emulated' } }))
await machine.started
if (pool !== undefined) await spareSettled(pool)
const [waiting, spares] = [pool?.warmCount ?? 0, pool?.spareCount ?? 0]
console.log(JSON.stringify({ event: 'started', waiting, spares }))
await machine.finished
