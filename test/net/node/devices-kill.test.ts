import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Did } from '#did'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { openRevocationsIn } from './devices-writer.ts'

const WRITER = fileURLToPath(import.meta.resolve('./devices-writer.ts'))
const KILLS = 8

describe('revoked devices that a real process was taking note of', function () {
  this.timeout(60_000)

  it('are all refused each time that process is killed', async () => {
    await using folder = await createTemporaryFolder()
    const told: string[] = []
    for (let kill = 0; kill < KILLS; kill++) {
      const writer = await startProcess({ command: process.execPath, args: [WRITER, folder.path] })
      await writer.stdout.match(/ready/)
      await sleep(5 + kill * 9)
      writer.signal('SIGKILL')
      await writer.ended
      // A line that was cut short says nothing.
      told.push(...writer.stdout.text().split('\n').slice(1, -1))
      const survivor = await openRevocationsIn(folder.path)
      for (const line of told) {
        const [person, device] = line.split(' ') as [Did, Did]
        assert.equal(survivor.isRevoked(person, device), true, `after kill ${kill}`)
      }
      const left = (await readdir(folder.path)).filter((name) => name !== 'devices.json')
      assert.ok(left.length <= 1, `what the kills left behind does not add up: ${left.join(' ')}`)
    }
    assert.ok(told.length > KILLS, `${told.length} revocations`)
  })
})
