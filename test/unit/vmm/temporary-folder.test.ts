import assert from 'node:assert/strict'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTemporaryFolder } from '../../../vmm/guest/powers.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const DAY_S = 24 * 60 * 60

describe('the folder that a build works in', () => {
  it('is gone afterwards, and so is what builds left that were killed, but nobody else’s', async () => {
    await using parent = await createTemporaryFolder()
    const nowS = Date.now() / 1_000
    for (const [name, ageS] of [
      ['built-old', DAY_S + 1],
      ['built-now', 60],
      ['other-old', DAY_S + 1]
    ] as const) {
      await mkdir(join(parent.path, name))
      await writeFile(join(parent.path, name, 'file'), '')
      await utimes(join(parent.path, name), nowS - ageS, nowS - ageS)
    }
    {
      await using folder = await makeTemporaryFolder('built-', parent.path)
      await writeFile(join(folder.path, 'file'), '')
      assert.equal((await readdir(parent.path)).length, 3)
    }
    assert.deepEqual((await readdir(parent.path)).toSorted(), ['built-now', 'other-old'])
  })
})
