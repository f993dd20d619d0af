import assert from 'node:assert/strict'
import { packageRoot } from '../../../capsule-host/package-root.ts'
import { importFile, importFolder } from '../../../content/import-dag.ts'
import { createMemoryBlockStore } from '../../../content/memory-block-store.ts'

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}

describe('the root of a package', () => {
  it('is the one that content gives the same folder', async () => {
    const store = createMemoryBlockStore()
    const manifest = Buffer.from('{"name":"hello"}')
    // More than one leaf.
    const module = new Uint8Array(2_500_000).fill(7)
    const built = { name: 'hello.wasm', ...(await importFile(pieces(module), store)) }
    const folder = { name: 'build', ...(await importFolder([built], store)) }
    const first = { name: 'capsule.json', ...(await importFile(pieces(manifest), store)) }
    const { cid } = await importFolder([first, folder], store)
    const files = new Map<string, Uint8Array>([
      ['capsule.json', manifest],
      ['build/hello.wasm', module]
    ])
    assert.equal((await packageRoot(files)).toString(), cid.toString())
    const turned = new Map([...files].reverse())
    assert.equal((await packageRoot(turned)).toString(), cid.toString())
    await assert.rejects(packageRoot(new Map()), { code: 'ERR_PACKAGE_INVALID' })
  })
})
