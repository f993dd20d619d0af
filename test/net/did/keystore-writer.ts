import { systemClock, systemRandom } from '#contracts'
import { openKeystore, systemPrivateFiles } from '#did'

/** A process that changes the keystore in the folder it is given until it is killed. */
const [folder = ''] = process.argv.slice(2)
const keystore = await openKeystore(folder, {
  files: systemPrivateFiles,
  clock: systemClock,
  random: systemRandom,
  argon2Cost: { memoryKib: 64, passes: 1, parallelism: 1 }
})
process.stdout.write('ready\n')
for (;;) {
  await keystore.lock('pass', { device: true })
  await keystore.unlock('pass')
}
