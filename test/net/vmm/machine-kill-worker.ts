import { setTimeout as sleep } from 'node:timers/promises'
import { probeHere, startTestMachine } from '../../support/machine.ts'

/** Starts one machine after the other and ends each soon, until it is killed. Arguments: kernel, initrd, root image. */
const [, , kernel = '', initrd = '', image = ''] = process.argv
const guest = { kernel, initrd }
/** Most of what can be left behind is made in the first moments of a machine. */
const AGE_MS_MAX = 60

const report = await probeHere(guest)
console.log(JSON.stringify({ event: 'ready' }))
for (;;) {
  await using machine = startTestMachine({
    ...{ report, guest, image },
    program: { args: ['/bin/busybox', 'sleep', '1000'] }
  })
  void machine.started.catch(() => undefined)
  await sleep(Math.random() * AGE_MS_MAX)
}
