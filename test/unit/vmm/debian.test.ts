import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeRootImage, systemDebianPowers, systemImagePowers, type DebianPowers } from '#vmm'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { createFakeApt, type FakeApt, type FakePackage } from './fake-apt.ts'

const SHELL: FakePackage = {
  name: 'little-shell',
  version: '1:2.0-1',
  depends: ['little-library'],
  files: { 'bin/little-sh': 'a shell' }
}
const LIBRARY: FakePackage = { name: 'little-library', files: { 'lib/little.so.1': 'a library' } }
const OTHER: FakePackage = { name: 'other', files: { 'usr/bin/other': 'another program' } }

interface Lab extends AsyncDisposable {
  readonly apt: FakeApt
  readonly folder: string
  list(...packages: string[]): Promise<void>
  build(powers?: DebianPowers): Promise<string>
}

async function openLab(): Promise<Lab> {
  const temporary = await createTemporaryFolder()
  const folder = temporary.path
  const apt = createFakeApt([SHELL, LIBRARY, OTHER], join(folder, 'cache'))
  await mkdir(join(folder, 'root'))
  const list = async (...packages: string[]): Promise<void> =>
    await writeFile(join(folder, 'debian.json'), JSON.stringify({ version: 1, packages }))
  await list('little-shell')
  const packages = { list: join(folder, 'debian.json'), locks: folder }
  const { signal } = new AbortController()
  const init = {
    folder: join(folder, 'root'),
    packages,
    file: join(folder, 'image'),
    bytesMax: 2 ** 20,
    signal
  }
  return {
    apt,
    folder,
    list,
    build: async (powers = apt.powers) => {
      await makeRootImage(init, { powers, imagePowers: systemImagePowers })
      return await readFile(join(folder, 'image'), 'latin1')
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]()
  }
}

describe('an image of recorded packages', () => {
  it('stays as it was when there are newer ones, until the record is removed', async () => {
    await using lab = await openLab()
    const image = await lab.build()
    lab.apt.packages = [SHELL, { ...LIBRARY, version: '1.1', files: { 'lib/little.so.1': 'newer' } }]
    assert.equal(await lab.build(), image)
    assert.equal(lab.apt.downloads(), 1, 'what was downloaded before is enough')
    await rm(join(lab.folder, 'cache'), { recursive: true })
    await assert.rejects(lab.build(), (thrown: { code: string; detail: string[] }) => {
      assert.equal(thrown.code, 'ERR_VM_PACKAGES_CHANGED')
      assert.match(thrown.detail.join(), /remove debian\.lock/)
      return true
    })
    assert.equal(await readFile(join(lab.folder, 'image'), 'latin1'), image)
    await rm(join(lab.folder, 'debian.lock.amd64.json'))
    assert.match(await lab.build(), /newer/)
  })

  it('is made of no other bytes than were recorded', async () => {
    await using lab = await openLab()
    const image = await lab.build()
    const [name = ''] = await readdir(join(lab.folder, 'cache'))
    await writeFile(join(lab.folder, 'cache', name), 'changed on the disk')
    assert.equal(await lab.build(), image, 'what was changed on the disk is downloaded again')
    lab.apt.packages = [SHELL, { ...LIBRARY, files: { 'lib/little.so.1': 'evil, of the same version' } }]
    await rm(join(lab.folder, 'cache'), { recursive: true })
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES_CHANGED', message: /SHA-256/ })
    assert.equal(await readFile(join(lab.folder, 'image'), 'latin1'), image)
  })

  it('holds nothing that a capsule brings itself, also when its record agrees', async () => {
    await using lab = await openLab()
    const trojan = JSON.stringify({ ...SHELL, files: { 'bin/little-sh': 'a trojan' } })
    const sha256 = createHash('sha256').update(trojan).digest('hex')
    await mkdir(join(lab.folder, '.debian'))
    await writeFile(join(lab.folder, '.debian', `${sha256}.deb`), trojan)
    const one = { name: SHELL.name, version: '1:2.0-1', arch: 'all', bytes: trojan.length, sha256 }
    const lock = { version: 1, arch: 'amd64', wanted: [SHELL.name], packages: [one] }
    await writeFile(join(lab.folder, 'debian.lock.amd64.json'), JSON.stringify(lock))
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES_CHANGED', message: /SHA-256/ })
    assert.equal(lab.apt.downloads(), 1, 'apt was asked')
    await assert.rejects(readFile(join(lab.folder, 'image')), { code: 'ENOENT' })
  })

  it('is not made of packages that unpack to more than one may hold', async () => {
    await using lab = await openLab()
    lab.apt.packages = [SHELL, { ...LIBRARY, unpackedBytes: 2 ** 30 }]
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES', message: /unpack/ })
    const half = { unpackedBytes: 300_000_000 }
    lab.apt.packages = [
      { ...SHELL, ...half },
      { ...LIBRARY, ...half }
    ]
    await rm(join(lab.folder, 'debian.lock.amd64.json'))
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES', message: /in all/ })
  })

  it('is looked for anew when its list changes, and what was downloaded for others is kept up to a limit', async () => {
    await using lab = await openLab()
    const before = join(lab.folder, 'cache', `${'0'.repeat(64)}.deb`)
    await mkdir(join(lab.folder, 'cache'))
    await writeFile(before, '')
    await truncate(before, 2 ** 30)
    await utimes(before, 1, 1)
    await lab.build()
    await assert.rejects(stat(before), { code: 'ENOENT' }, 'the first that came goes first')
    await lab.list('other')
    const image = await lab.build()
    assert.ok(image.includes('another program') && !image.includes('a shell'))
    await lab.list('little-shell')
    await lab.build()
    assert.equal((await readdir(join(lab.folder, 'cache'))).length, 3)
  })

  it('has each file of one package, whatever that calls /usr, and the author’s own before it', async () => {
    await using lab = await openLab()
    const link = /usr\/bin/
    assert.match(await lab.build(), link, '/bin is a link')
    lab.apt.packages = [SHELL, LIBRARY, { ...OTHER, files: { 'usr/bin/little-sh': 'another shell' } }]
    await lab.list('little-shell', 'other')
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES', message: /usr\/bin\/little-sh/ })
    await lab.list('little-shell')
    await mkdir(join(lab.folder, 'root', 'bin'))
    await writeFile(join(lab.folder, 'root', 'bin', 'little-sh'), 'my own')
    const image = await lab.build()
    assert.ok(image.includes('my own') && !image.includes('a shell'))
  })

  it('is refused for lists and records that are not valid', async () => {
    await using lab = await openLab()
    const many = Array.from({ length: 65 }, (_, index) => `p${index}`)
    for (const names of [[], ['--option'], ['Upper'], ['a b'], ['a'], ['../x'], many]) {
      await lab.list(...names)
      await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES' }, names.join())
    }
    await lab.list('little-shell')
    await lab.build()
    const path = join(lab.folder, 'debian.lock.amd64.json')
    const lock = JSON.parse(await readFile(path, 'utf8')) as { packages: object[] }
    const wrong = [
      { version: '../../x' },
      { name: '-o' },
      { sha256: '../../secret' },
      { bytes: 2 ** 40 },
      { more: 1 }
    ]
    for (const change of wrong) {
      const packages = lock.packages.map((one) => ({ ...one, ...change }))
      await writeFile(path, JSON.stringify({ ...lock, packages }))
      await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES' }, JSON.stringify(change))
    }
    assert.equal(lab.apt.downloads(), 1)
  })

  it('is refused before a download of too many packages or bytes, and for names nobody has', async () => {
    await using lab = await openLab()
    const crowd = Array.from({ length: 257 }, (_, index) => ({ name: `p${index}x`, files: {} }))
    lab.apt.packages = [{ name: 'crowd', depends: crowd.map(({ name }) => name), files: {} }, ...crowd]
    await lab.list('crowd')
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES', message: /at most 256 packages/ })
    lab.apt.packages = [{ name: 'large', bytes: 2 ** 29, files: {} }]
    await lab.list('large')
    await assert.rejects(lab.build(), { code: 'ERR_VM_PACKAGES', message: /bytes/ })
    await lab.list('nobody-has-this')
    await assert.rejects(lab.build(), (thrown: { code: string; detail: string[] }) => {
      assert.equal(thrown.code, 'ERR_VM_PACKAGES')
      assert.match(thrown.detail.join(), /Unable to locate.*apt-get update/)
      return true
    })
    assert.equal(lab.apt.downloads(), 0)
  })

  it('is unpacked no further than its bound', async () => {
    const { signal } = new AbortController()
    const measure = (command: string, args: string[], bytesMax: number): Promise<number | undefined> =>
      systemDebianPowers.measureOutput(command, args, { folder: '/', signal, bytesMax })
    assert.ok(((await measure('yes', [], 100_000)) ?? 0) > 100_000, 'one without end is ended')
    assert.equal(await measure('echo', ['hello'], 100), 6)
    assert.equal(await measure('false', [], 100), undefined)
    assert.equal(await measure('elastos-no-such-program', [], 100), undefined)
  })

  it('says what else can be done where there is no apt', async () => {
    await using lab = await openLab()
    const run = async (): Promise<{ code: number; stdout: string; stderr: string }> =>
      await Promise.resolve({ code: 127, stdout: '', stderr: 'not found' })
    await assert.rejects(
      lab.build({ ...lab.apt.powers, run }),
      (thrown: { code: string; detail: string[] }) => {
        assert.equal(thrown.code, 'ERR_VM_APT_MISSING')
        assert.match(thrown.detail.join(), /remove debian\.json/)
        return true
      }
    )
  })
})
