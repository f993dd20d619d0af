/** Root images of packages of Debian, by the apt of this machine from a repository in a folder: no network. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildCapsule, packageRoot, systemPowers } from '#capsule-host'
import { systemClock } from '#contracts'
import { makeRootImage, systemImagePowers } from '#vmm'
import {
  createDebianRepository,
  type DebianRepository,
  type TestPackage
} from '../../support/debian-repository.ts'
import { needs } from '../../support/requirements.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const SHELL: TestPackage = {
  name: 'little-shell',
  version: '1:2.0-1',
  depends: 'little-library (>= 1)',
  files: { 'bin/little-sh': 'a shell', 'usr/share/little': 'shared' },
  scripts: { preinst: '#!/bin/sh\ntouch /tmp/elastos-ran\n', postinst: '#!/bin/sh\nexit 1\n' }
}
const LIBRARY: TestPackage = {
  name: 'little-library',
  files: { 'lib/little.so.1': 'a library', 'usr/lib/little.so': '-> little.so.1' }
}
const OTHER: TestPackage = { name: 'never-wanted', files: { 'usr/bin/other': 'x' } }

interface Lab extends AsyncDisposable {
  readonly repository: DebianRepository
  /** The capsule's folder. */
  readonly folder: string
  /** Makes the image and returns it. */
  build(): Promise<Buffer>
}

async function openLab(): Promise<Lab> {
  const temporary = await createTemporaryFolder()
  const repository = await createDebianRepository(join(temporary.path, 'repository'))
  await repository.publish([SHELL, LIBRARY, OTHER])
  const folder = join(temporary.path, 'capsule')
  await mkdir(join(folder, 'root'), { recursive: true })
  const manifest = {
    ...{ manifest: 2, name: 'little', version: '1.0.0', substrate: 'microvm' },
    ...{ entry: 'build/little.erofs', image: 'root', program: ['/bin/little-sh'] }
  }
  await writeFile(join(folder, 'capsule.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'debian.json'), '{"version":1,"packages":["little-shell"]}')
  return {
    repository,
    folder,
    build: async () => {
      const components = { powers: repository.powers, imagePowers: systemImagePowers }
      await buildCapsule(
        {
          ...{ powers: systemPowers, clock: systemClock },
          makeImage: (image) => makeRootImage(image, components)
        },
        { folder, signal: new AbortController().signal }
      )
      return await readFile(join(folder, 'build', 'little.erofs'))
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]()
  }
}

const lockOf = async (folder: string): Promise<{ name: string; path: string }> => {
  const name = (await readdir(folder)).find((file) => file.startsWith('debian.lock.')) ?? 'none'
  return { name, path: join(folder, name) }
}

describe('an image of packages of Debian', function () {
  this.timeout(60_000)
  before(async function () {
    await needs(this, 'apt')
  })

  it('holds them and what they depend on, the same bytes and CID each time, and runs nothing of them', async () => {
    await using lab = await openLab()
    await writeFile(join(lab.folder, 'root', 'main.sh'), 'echo hello')
    const image = await lab.build()
    const text = image.toString('latin1')
    for (const part of ['a shell', 'a library', 'shared', 'echo hello', 'usr/bin']) {
      assert.ok(text.includes(part), `${part} is not in the image`)
    }
    assert.ok(!text.includes('other'), 'a package nobody asked for is in the image')
    await assert.rejects(stat('/tmp/elastos-ran'), { code: 'ENOENT' }, 'a script of a package ran')
    const lock = JSON.parse(await readFile((await lockOf(lab.folder)).path, 'utf8')) as {
      packages: { name: string; version: string; sha256: string }[]
    }
    assert.deepEqual(
      lock.packages.map(({ name, version }) => `${name} ${version}`),
      ['little-library 1.0', 'little-shell 1:2.0-1']
    )
    const root = async (bytes: Buffer): Promise<string> =>
      (await packageRoot(new Map([['little.erofs', bytes]]))).toString()
    const again = await lab.build()
    assert.equal(await root(again), await root(image))
    await rm(lab.repository.powers.cacheFolder, { recursive: true })
    await rm(join(lab.folder, 'build'), { recursive: true })
    assert.equal(await root(await lab.build()), await root(image), 'downloaded again it is another one')
  })

  it('takes nothing that apt cannot verify, or that was changed on its way', async () => {
    await using lab = await openLab()
    await lab.repository.damage('little-library')
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES' })
    await lab.repository.publish([SHELL, LIBRARY], { isVerified: false })
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES' })
    await assert.rejects(stat(join(lab.folder, 'build', 'little.erofs')), { code: 'ENOENT' })
    assert.equal((await lockOf(lab.folder)).name, 'none')
  })
})
