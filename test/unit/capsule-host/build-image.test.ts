import assert from 'node:assert/strict'
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
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
    const built = await build(own)
    assert.equal(built.isCompiled, true)
    assert.equal((await readFile(join(own, 'greeter.erofs'))).byteLength, built.entryBytes)
  })

  it('writes nothing where a link in the package leads', async () => {
    await using temporary = await createTemporaryFolder()
    const [own, outside] = [join(temporary.path, 'own'), join(temporary.path, 'outside')]
    await mkdir(join(own, 'root'), { recursive: true })
    await mkdir(outside)
    for (const entry of ['build/greeter.erofs', 'build/below/greeter.erofs']) {
      await writeFile(join(own, 'capsule.json'), JSON.stringify({ ...MANIFEST, entry }))
      await symlink(outside, join(own, 'build'))
      await assert.rejects(build(own), { code: 'ERR_PACKAGE_INVALID' }, entry)
      await rm(join(own, 'build'))
    }
    assert.deepEqual(await readdir(outside), [])
    // As it was called before it was whole, which anybody could guess.
    await writeFile(join(own, 'capsule.json'), JSON.stringify(MANIFEST))
    const letter = join(outside, 'letter')
    await writeFile(letter, 'dear')
    await symlink(letter, join(own, `greeter.erofs.${process.pid}.new`))
    await symlink(letter, join(own, 'greeter.erofs'))
    await build(own)
    assert.equal(await readFile(letter, 'utf8'), 'dear')
    assert.equal((await lstat(join(own, 'greeter.erofs'))).isFile(), true)
  })

  it('of a module writes nothing where a link in the package leads either', async () => {
    await using temporary = await createTemporaryFolder()
    const [own, outside] = [join(temporary.path, 'own'), join(temporary.path, 'outside')]
    await mkdir(own)
    await mkdir(outside)
    const manifest = {
      ...{ manifest: 2, name: 'greeter', version: '1.0.0', substrate: 'wasm', entry: 'build/greeter.wasm' },
      build: { language: 'assemblyscript', source: 'main.ts' }
    }
    await writeFile(join(own, 'capsule.json'), JSON.stringify(manifest))
    await symlink(outside, join(own, 'build'))
    await assert.rejects(build(own), { code: 'ERR_PACKAGE_INVALID' })
    assert.deepEqual(await readdir(outside), [])
  })
})
