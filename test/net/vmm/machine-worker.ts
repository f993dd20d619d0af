import { probeHere, startTestMachine } from '../../support/machine.ts'

/** Starts a machine whose program never ends, says so, and waits to be killed. Arguments: kernel, initrd, root image. */
const [, , kernel = '', initrd = '', image = ''] = process.argv
const guest = { kernel, initrd }
const machine = startTestMachine({
  ...{ report: await probeHere(guest), guest, image },
  program: { args: ['/bin/busybox', 'sleep', '1000'] }
})
await machine.started
console.log(JSON.stringify({ event: 'started' }))
await machine.finished
