import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { admitModule, capsuleLimits, loadFirstPartyCapsule } from '#capsule-host'
import { openShipped } from '../../../capsule-host/toolchain/shipped-capsule.ts'
import { ROOT } from '../../support/cli.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const run = promisify(execFile)
const PROGRAM = join(ROOT, 'capsule-host', 'toolchain', 'distribution-main.ts')

describe('the capsules of this project', () => {
  it('are built from their sources, within their own limits, and twice to the same bytes', async function () {
    this.timeout(180_000)
    await using folder = await createTemporaryFolder()
    await run(process.execPath, [PROGRAM, folder.path])
    const sources = (await readdir(join(ROOT, 'capsules'))).toSorted()
    const built = (await readdir(join(folder.path, 'capsules'))).filter((name) => name.endsWith('.capsule'))
    assert.deepEqual(built.map((name) => name.slice(0, -'.capsule'.length)).toSorted(), sources)
    const publishers = new Set<string>()
    for (const name of sources) {
      const { manifest, module } = await loadFirstPartyCapsule(name)
      assert.equal(manifest.name, name)
      admitModule(module, capsuleLimits(manifest))
      const beside = await readFile(join(folder.path, 'capsules', `${name}.capsule`))
      const { opened, publisher } = await openShipped(beside, name)
      publishers.add(publisher)
      assert.equal(opened.manifest.version, manifest.version)
      assert.equal(Buffer.compare(opened.entry, module), 0, `${name} differs from one build to the next`)
    }
    assert.equal(publishers.size, 1, 'one key signs all of a release')
    for (const name of ['capsule-runtime.wasm', 'capsule-globals.js', 'capsule-sdk.mjs']) {
      assert.ok((await readFile(join(folder.path, name))).byteLength > 1000, name)
    }
  })
})
