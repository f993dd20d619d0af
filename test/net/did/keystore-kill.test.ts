import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock, systemRandom } from '#contracts'
import { createKeystore, openKeystore, systemPrivateFiles, type KeystoreComponents } from '#did'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const components: KeystoreComponents = {
  files: systemPrivateFiles,
  clock: systemClock,
  random: systemRandom,
  argon2Cost: { memoryKib: 64, passes: 1, parallelism: 1 }
}
const WRITER = fileURLToPath(import.meta.resolve('./keystore-writer.ts'))
const KILLS = 8

describe('a keystore that a real process was changing', () => {
  it('opens, with every key in it, each time that process is killed', async () => {
    await using temporary = await createTemporaryFolder()
    const folder = join(temporary.path, 'keys')
    const created = await createKeystore(folder, components)
    const words = await created.words()
    for (let kill = 0; kill < KILLS; kill++) {
      const writer = await startProcess({ command: process.execPath, args: [WRITER, folder] })
      await writer.stdout.match(/ready/)
      await sleep(5 + kill * 7)
      writer.signal('SIGKILL')
      await writer.ended
      const survivor = await openKeystore(folder, components, { passphrase: 'pass' })
      assert.equal(survivor.device.did, created.device.did)
      assert.equal(await survivor.words({ passphrase: 'pass' }), words)
      await survivor.unlock('pass')
      assert.deepEqual(
        await readdir(folder),
        ['identity.json'],
        'the lock and the half-written files are tidied up'
      )
    }
  })
})
