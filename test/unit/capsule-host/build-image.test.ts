import assert from 'node:assert/strict'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildCapsule, systemPowers, type BuiltCapsule } from '#capsule-host'
import { systemClock } from '#contracts'
import { makeRootImage } from '#vmm'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const MANIFEST = {
  ...{ manifest: 2, name: 'greeter', version: '1.0.0', substrate: 'microvm', entry: 'greeter.erofs' },
  ...{ image: 'root', program: ['/bin/greeter'] }
}

const build = (folder: string): Promise<BuiltCapsule> =>
  buildCapsule(
    { powers: systemPowers, clock: systemClock, makeImage: (image) => makeRootImage(image) },
    { folder, signal: new AbortController().signal }
  )

describe('the building of an image', () => {
  it('takes a folder of the package, and none that a link leads to', async () => {
    await using temporary = await createTemporaryFolder()
    const [own, linked] = [join(temporary.path, 'own'), join(temporary.path, 'linked')]
    for (const folder of [own, linked]) {
      await mkdir(folder)
      await writeFile(join(folder, 'capsule.json'), JSON.stringify(MANIFEST))
    }
    await mkdir(join(own, 'root'))
    await writeFile(join(own, 'root', 'secret'), 'of its publisher')
    await symlink(join(own, 'root'), join(linked, 'root'))
    await assert.rejects(build(linked), { code: 'ERR_PACKAGE_INVALID' })
    await assert.rejects(readFile(join(linked, 'greeter.erofs')), { code: 'ENOENT' })
    await writeFile(join(own, 'debian.json'), '{"version":1,"packages":["busybox-static"]}')
    await symlink(temporary.path, join(own, '.debian'))
    await assert.rejects(build(own), { code: 'ERR_PACKAGE_INVALID' }, 'packages are written through a link')
    await rm(join(own, 'debian.json'))
    await rm(join(own, '.debian'))
    const built = await build(own)
    assert.equal(built.isCompiled, true)
    assert.equal((await readFile(join(own, 'greeter.erofs'))).byteLength, built.entryBytes)
  })
})
