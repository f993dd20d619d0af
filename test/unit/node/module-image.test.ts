import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemPowers, type ModuleRuntime } from '#capsule-host'
import { systemClock } from '#contracts'
import { systemVmmPowers } from '#vmm'
import { makeModuleImage } from '../../../node/module-image.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

describe('the image that modules run with in a machine', () => {
  it('is the same for the same files, made once, and made again when it was changed', async () => {
    await using folder = await createTemporaryFolder()
    const node = join(folder.path, 'node')
    await writeFile(node, 'a Node')
    const runtime = (text: string): ModuleRuntime => ({
      files: [{ source: node, target: '/elastos/node' }],
      script: { target: '/elastos/guest/script.mjs', text },
      program: () => [],
      environment: {},
      memoryBytes: 0
    })
    const components = {
      paths: { machines: join(folder.path, 'machines') },
      ...{ powers: systemPowers, hashFile: systemVmmPowers.hashFile, clock: systemClock }
    }
    const first = await makeModuleImage(components, runtime('one'))
    const bytes = await readFile(first)
    assert.ok(bytes.includes('a Node') && bytes.includes('one'))
    assert.equal(await makeModuleImage(components, runtime('one')), first)
    await writeFile(first, 'changed')
    await makeModuleImage(components, runtime('one'))
    assert.ok(bytes.equals(await readFile(first)), 'what lies there is what was made, or is made again')
    // Of those that were made only the last ones stay.
    for (const text of ['two', 'three', 'four']) await makeModuleImage(components, runtime(text))
    const left = await readdir(join(folder.path, 'machines', 'modules'))
    assert.equal(left.length, 2)
    await assert.rejects(
      makeModuleImage(components, {
        ...runtime('five'),
        files: [{ source: '/none', target: '/elastos/node' }]
      }),
      { code: 'ERR_SANDBOX_UNAVAILABLE' }
    )
  })
})
