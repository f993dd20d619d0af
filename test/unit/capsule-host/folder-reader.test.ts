import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolderReader, openPackage, systemPowers, type PackageReader } from '#capsule-host'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const MANIFEST = { manifest: 2, name: 'hello', version: '0.1.0', substrate: 'wasm', entry: 'hello.wasm' }
const signal = new AbortController().signal

async function paths(reader: PackageReader): Promise<string[]> {
  const found: string[] = []
  for await (const { path } of reader.list({ signal })) found.push(path)
  return found.toSorted()
}

describe('a folder of the author', () => {
  it('is read as a package, without what starts with a dot, installed packages and links', async () => {
    await using folder = await createTemporaryFolder()
    await writeFile(join(folder.path, 'capsule.json'), JSON.stringify(MANIFEST))
    await writeFile(join(folder.path, 'hello.wasm'), 'wasm')
    await writeFile(join(folder.path, '.secret'), 'secret')
    await mkdir(join(folder.path, '.git'))
    await writeFile(join(folder.path, '.git', 'config'), 'secret')
    await mkdir(join(folder.path, 'node_modules', 'left'), { recursive: true })
    await writeFile(join(folder.path, 'node_modules', 'left', 'pad.js'), 'x')
    await mkdir(join(folder.path, 'deep', 'er'), { recursive: true })
    await writeFile(join(folder.path, 'deep', 'er', 'file'), 'x')
    await symlink('/etc/passwd', join(folder.path, 'link'))
    await symlink('/etc', join(folder.path, 'folder-link'))
    const reader = createFolderReader(systemPowers, folder.path)
    assert.deepEqual(await paths(reader), ['capsule.json', 'deep/er/file', 'hello.wasm'])
    const opened = await openPackage(reader, { signal })
    assert.equal(Buffer.from(opened.entry).toString(), 'wasm')
    for (const path of ['link', '.secret', '../x', 'absent', '.git/config', 'node_modules/left/pad.js']) {
      await assert.rejects(reader.read(path, { bytesMax: 1024, signal }), { code: 'ERR_PACKAGE_INVALID' })
    }
    await assert.rejects(reader.read('hello.wasm', { bytesMax: 3, signal }), {
      code: 'ERR_PACKAGE_TOO_LARGE'
    })
  })

  it('that is too deep is refused', async () => {
    await using folder = await createTemporaryFolder()
    await mkdir(join(folder.path, ...Array<string>(20).fill('a')), { recursive: true })
    await assert.rejects(paths(createFolderReader(systemPowers, folder.path)), {
      code: 'ERR_PACKAGE_TOO_LARGE'
    })
  })
})
