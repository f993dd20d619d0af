import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#contracts'
import {
  admitModule,
  buildCapsule,
  newCapsule,
  parseManifest,
  systemPowers,
  type CapsuleError
} from '#capsule-host'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { ECHO } from './programs.ts'

const components = { powers: systemPowers, clock: systemClock }
const signal = new AbortController().signal

async function newHello(parent: string): Promise<string> {
  const folder = join(parent, 'hello')
  await newCapsule(systemPowers, { name: 'hello', folder, language: 'assemblyscript' })
  return folder
}

describe('a new capsule', () => {
  it('is a folder of sources that builds, twice to the same bytes', async () => {
    await using parent = await createTemporaryFolder()
    const folder = await newHello(parent.path)
    assert.deepEqual((await readdir(folder)).toSorted(), ['README.md', 'assembly', 'capsule.json'])
    const built = await buildCapsule(components, { folder, signal })
    assert.equal(built.manifest.name, 'hello')
    assert.equal(built.isCompiled, true)
    const entry = join(folder, 'build', 'hello.wasm')
    const first = await readFile(entry)
    assert.equal(built.entryBytes, first.byteLength)
    assert.doesNotThrow(() => admitModule(first, { memoryBytesMax: 1024 * 1024 }))
    await rm(entry)
    await buildCapsule(components, { folder, signal })
    assert.deepEqual(await readFile(entry), first)
    assert.deepEqual(await readdir(join(folder, 'build')), ['hello.wasm'])
  })

  it('is not written over anything', async () => {
    await using parent = await createTemporaryFolder()
    const init = { name: 'hello', folder: parent.path }
    await assert.rejects(newCapsule(systemPowers, init), { code: 'ERR_CAPSULE_EXISTS' })
    assert.deepEqual(await readdir(parent.path), [])
  })

  it('has a name a manifest may have', async () => {
    await using parent = await createTemporaryFolder()
    for (const name of ['Hello', '../x', '', 'a b']) {
      await assert.rejects(newCapsule(systemPowers, { name, folder: join(parent.path, 'x') }), {
        code: 'ERR_MANIFEST_INVALID'
      })
    }
    assert.deepEqual(await readdir(parent.path), [])
  })
})

describe('building a capsule', () => {
  it('that does not compile says what the compiler said, and leaves the last good build', async () => {
    await using parent = await createTemporaryFolder()
    const folder = await newHello(parent.path)
    await writeFile(join(folder, 'assembly', 'index.ts'), 'const x: i32 = "text"\n')
    await assert.rejects(buildCapsule(components, { folder, signal }), (thrown: CapsuleError) => {
      assert.equal(thrown.code, 'ERR_CAPSULE_BUILD')
      assert.match(thrown.detail.join('\n'), /not assignable|TS2322/)
      assert.match(thrown.detail.join('\n'), /assembly\/index\.ts/)
      return true
    })
    assert.deepEqual(await readdir(join(folder, 'build')), [])
  })

  it('runs no code that the folder names: a configuration with a transform is not read', async () => {
    await using parent = await createTemporaryFolder()
    const folder = await newHello(parent.path)
    const trace = join(parent.path, 'trace')
    await writeFile(
      join(folder, 'transform.mjs'),
      `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(trace)}, 'ran')\nexport default class {}\n`
    )
    await writeFile(join(folder, 'asconfig.json'), '{"options":{"transform":["./transform.mjs"]}}')
    await buildCapsule(components, { folder, signal })
    await assert.rejects(stat(trace), { code: 'ENOENT' })
  })

  it('in another language only checks the module that is there', async () => {
    await using parent = await createTemporaryFolder()
    const manifest = { manifest: 2, name: 'echo', version: '1.0.0', substrate: 'wasm', entry: 'echo.wasm' }
    const folder = parent.path
    await writeFile(join(folder, 'capsule.json'), JSON.stringify(manifest))
    await assert.rejects(buildCapsule(components, { folder, signal }), { code: 'ERR_PACKAGE_INVALID' })
    await writeFile(join(folder, 'echo.wasm'), 'not a module')
    await assert.rejects(buildCapsule(components, { folder, signal }), { code: 'ERR_MODULE_INVALID' })
    await writeFile(join(folder, 'echo.wasm'), ECHO)
    assert.deepEqual(await buildCapsule(components, { folder, signal }), {
      manifest: parseManifest(Buffer.from(JSON.stringify(manifest))),
      entryBytes: ECHO.byteLength,
      isCompiled: false
    })
  })

  it('in a folder without a manifest, or none at all, is refused', async () => {
    await using parent = await createTemporaryFolder()
    for (const folder of [parent.path, join(parent.path, 'absent')]) {
      await assert.rejects(buildCapsule(components, { folder, signal }), { code: 'ERR_PACKAGE_INVALID' })
    }
  })

  it('is given up when it is told to', async () => {
    await using parent = await createTemporaryFolder()
    const folder = await newHello(parent.path)
    const stop = new AbortController()
    const building = buildCapsule(components, { folder, signal: stop.signal })
    setTimeout(() => stop.abort(new Error('enough')), 50)
    await assert.rejects(building, { message: 'enough' })
    assert.deepEqual(
      (await readdir(join(folder, 'build')).catch(() => [])).filter((name) => name !== ''),
      []
    )
  })
})
