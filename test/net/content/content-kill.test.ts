import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LevelDatastore } from 'datastore-level'
import { silentLogger, systemClock, systemRandom } from '#contracts'
import { parseCid, startContent } from '#content'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const ADDER = fileURLToPath(import.meta.resolve('./adding-process.ts'))
const KILLS = 4

describe('content that a real process was adding', function () {
  this.timeout(60_000)

  it('opens each time that process is killed, with everything in it that was promised', async () => {
    await using temporary = await createTemporaryFolder()
    const promised = new Set<string>()
    for (let kill = 0; kill < KILLS; kill++) {
      const adder = await startProcess({ command: process.execPath, args: [ADDER, temporary.path] })
      for (let count = 0; count <= kill; count++) await adder.event('added')
      adder.signal('SIGKILL')
      await adder.ended
      for (const line of adder.stdout
        .text()
        .split('\n')
        .filter((text) => text.endsWith('}'))) {
        promised.add((JSON.parse(line) as { cid: string }).cid)
      }
    }
    const datastore = new LevelDatastore(join(temporary.path, 'db'))
    await datastore.open()
    {
      await using content = await startContent({
        routing: 'off',
        datastore,
        blocks: join(temporary.path, 'blocks'),
        isDenied: () => false,
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger
      })
      const pinned = new Set((await Array.fromAsync(content.pins())).map(({ cid }) => cid.toString()))
      assert.ok(promised.size >= KILLS)
      for (const cid of promised) {
        assert.ok(pinned.has(cid), `${cid} was promised and is not pinned`)
      }
      await content.gc()
      for (const cid of pinned) {
        assert.equal((await content.read(parseCid(cid), 'file', { bytesMax: 300_000 })).length, 300_000)
      }
    }
    await datastore.close()
  })
})
