import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFiles } from '../../../scripts/build/output.js'
import { isFresh, readStamp, writeStamp } from '../../../scripts/build/stamp.js'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

describe('the build', () => {
  it('keeps what a process of the build before may still load, and nothing older', async () => {
    await using folder = await createTemporaryFolder()
    let previous: string[] = []
    for (const version of ['1', '2', '3']) {
      const files = [
        { path: 'elastos.mjs', contents: version },
        { path: `part-ABCDEFG${version}.mjs`, contents: version }
      ]
      replaceFiles(folder.path, files, previous)
      previous = files.map(({ path }) => path)
    }
    assert.equal(await readFile(join(folder.path, 'elastos.mjs'), 'utf8'), '3')
    assert.deepEqual((await readdir(folder.path)).sort(), [
      'elastos.mjs',
      'part-ABCDEFG2.mjs',
      'part-ABCDEFG3.mjs'
    ])
  })

  it('is fresh only for the same sources and with every file in place', async () => {
    await using folder = await createTemporaryFolder()
    replaceFiles(folder.path, [{ path: 'elastos.mjs', contents: '' }], [])
    writeStamp(folder.path, { hash: 'a', files: ['elastos.mjs'] })
    assert.equal(isFresh(folder.path, readStamp(folder.path), 'a'), true)
    assert.equal(isFresh(folder.path, readStamp(folder.path), 'b'), false)
    writeStamp(folder.path, { hash: 'a', files: ['elastos.mjs', 'index.mjs'] })
    assert.equal(isFresh(folder.path, readStamp(folder.path), 'a'), false)
    assert.equal(readStamp(join(folder.path, 'absent')), undefined)
  })
})
