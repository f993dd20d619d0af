import assert from 'node:assert/strict'
import { access, chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNode } from '#node'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

describe('what a node that was killed left of machines', () => {
  it('is gone when the next one has started, and a node without machines makes no folder for them', async () => {
    await using temporary = await createTemporaryFolder()
    const dataFolder = join(temporary.path, 'data')
    const machines = join(dataFolder, 'machines')
    const start = async (): Promise<void> => {
      await using _node = await startNode({
        ...{ dataFolder, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, privateRooms: false }
      })
    }
    await start()
    await assert.rejects(access(machines), { code: 'ENOENT' })
    for (const name of ['templates/abc.0123.new', 'handover', 'modules'])
      await mkdir(join(machines, name), { recursive: true })
    await writeFile(join(machines, 'templates', 'abc.0123.new', 'memory'), 'half')
    await writeFile(join(machines, 'handover', 'a name'), 'an image')
    for (const folder of [machines, join(machines, 'modules')]) {
      await writeFile(join(folder, 'an image.erofs.123.new'), 'half')
    }
    await start()
    assert.deepEqual((await readdir(machines)).toSorted(), ['handover', 'modules', 'rehearsal', 'templates'])
    assert.deepEqual(await readdir(join(machines, 'modules')), [])
    assert.deepEqual(await readdir(join(machines, 'templates')), [])
    await chmod(join(machines, 'handover'), 0o700)
    assert.deepEqual(await readdir(join(machines, 'handover')), [])
  })
})
