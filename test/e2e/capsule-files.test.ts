import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeCapsuleFolder } from '../support/capsule-folder.ts'
import { createCliHome } from '../support/cli.ts'
import { startCliNode } from '../support/cli-node.ts'
import { needs } from '../support/requirements.ts'

/** Counts its runs in a file of its own, and says why when it cannot. */
const COUNTER = `
  await capsule.request({ command: 'localhost/*', resource: 'localhost://*' })
  const read = await capsule.call('localhost/read', { path: 'runs' }).catch(({ code }) => ({ code }))
  if (read.code === 'ERR_FILE_CORRUPT') capsule.write('refused\\n')
  else {
    const runs = 1 + Number(read.data === undefined ? 0 : atob(read.data))
    await capsule.call('localhost/write', { path: 'runs', data: btoa(String(runs)) })
    capsule.write('run ' + runs + '\\n')
  }
`

describe('files of a capsule', function () {
  this.timeout(180_000)

  it('that are older than they were are refused, until their owner says that they put them back', async function () {
    await needs(this, 'bubblewrap')
    await using home = await createCliHome()
    const counter = await writeCapsuleFolder(home.folder, {
      ...{ name: 'counter', script: COUNTER },
      manifest: {
        capabilities: [{ command: 'localhost/*', resource: 'localhost://*', reason: 'To count its runs.' }],
        requires: [{ contract: 'localhost@1' }]
      }
    })
    const data = join(home.folder, 'node')
    const countOn = async (...flags: string[]): Promise<string> => {
      await using node = await startCliNode(home, data, { flags: ['--shell', 'auto', ...flags] })
      const { stdout } = await node.succeed(['capsule', 'run', counter, '--dev'])
      await node.stop()
      return stdout.split('\n')[0] ?? ''
    }
    assert.equal(await countOn(), 'run 1')
    await cp(join(data, 'vault'), join(home.folder, 'backup'), { recursive: true })
    assert.equal(await countOn(), 'run 2')
    await rm(join(data, 'vault'), { recursive: true })
    await cp(join(home.folder, 'backup'), join(data, 'vault'), { recursive: true })
    assert.equal(await countOn(), 'refused')
    assert.equal(await countOn('--accept-older-files'), 'run 2')
    assert.equal(await countOn(), 'run 3')
  })
})
