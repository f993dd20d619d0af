import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOf } from '../../unit/content/fixture.ts'
import { kuboOrSkip, startKubo } from '../kubo.ts'
import { startBareNode } from './content-nodes.ts'
import { multiaddr } from '@multiformats/multiaddr'

const MIB = 1024 * 1024

/** Kubo's options for the profile that we use; its own default is the older 256 KiB. */
const PROFILE = ['--cid-version=1', '--raw-leaves', '--chunker=size-1048576', '--max-file-links=1024']

describe('content with Kubo', function () {
  this.timeout(120_000)
  let program = ''
  before(async function () {
    program = await kuboOrSkip(this)
  })

  it('has the same CIDs: small, empty and large files, folders, and sharded folders', async () => {
    await using kubo = await startKubo(program)
    await using ours = await startBareNode()
    await kubo.run(['config', 'profile', 'apply', 'unixfs-v1-2025'])
    const tree = join(kubo.folder, 'tree')
    await mkdir(join(tree, 'many'), { recursive: true })
    await writeFile(join(tree, 'empty'), '')
    await writeFile(join(tree, 'small.txt'), 'hello')
    await writeFile(join(tree, 'one-leaf'), bytesOf(MIB))
    await writeFile(join(tree, 'two-leaves'), bytesOf(MIB + 1))
    await writeFile(join(tree, 'ünïcode 🦊'), bytesOf(10 * MIB + 77))
    for (let index = 0; index < 6000; index++)
      await writeFile(join(tree, 'many', `an entry of some length ${index}`), '')
    for (const name of ['', 'empty', 'small.txt', 'one-leaf', 'two-leaves', 'ünïcode 🦊', 'many']) {
      const path = join(tree, name)
      const theirs = await kubo.run(['add', '-Q', '-r', ...PROFILE, path])
      assert.equal((await ours.content.add(path)).cid.toString(), theirs, name)
    }
  })

  it('fetches a large file and a folder of 200 from Kubo, and Kubo the same from us', async () => {
    await using kubo = await startKubo(program)
    await using ours = await startBareNode()
    await ours.libp2p.dial(multiaddr(kubo.addresses[0]))
    const tree = join(kubo.folder, 'tree')
    await mkdir(tree)
    await writeFile(join(tree, 'large'), bytesOf(64 * MIB))
    for (let index = 0; index < 200; index++)
      await writeFile(join(tree, `file ${index}`), bytesOf(1000 + index, index))
    // Kubo's default layout, which is not ours: what others made must be readable too.
    const theirs = await kubo.run(['add', '-Q', '-r', tree])
    const got = await ours.content.get(theirs, { output: join(kubo.folder, 'from-kubo') })
    assert.equal(got.files, 201)
    const added = await ours.content.add(tree)
    await kubo.run(['get', '-o', join(kubo.folder, 'from-us'), added.cid.toString()], { timeoutMs: 60_000 })
    for (const name of await readdir(tree)) {
      const original = await readFile(join(tree, name))
      assert.ok(original.equals(await readFile(join(kubo.folder, 'from-kubo', name))), name)
      assert.ok(original.equals(await readFile(join(kubo.folder, 'from-us', name))), name)
    }
  })

  it('takes in the CARs of Kubo, and Kubo ours', async () => {
    await using kubo = await startKubo(program)
    await using ours = await startBareNode()
    const tree = join(kubo.folder, 'tree')
    await mkdir(tree)
    await writeFile(join(tree, 'large'), bytesOf(5 * MIB + 3))
    for (let index = 0; index < 50; index++)
      await writeFile(join(tree, `file ${index}`), bytesOf(1000, index))
    const theirs = await kubo.run(['add', '-Q', '-r', tree])
    const fromKubo = join(kubo.folder, 'from-kubo.car')
    await kubo.exportCar(theirs, fromKubo)
    const imported = await ours.content.repo.importCar(fromKubo)
    assert.deepEqual(
      imported.roots.map(({ cid, isPinned }) => [cid.toString(), isPinned]),
      [[theirs, true]]
    )
    await ours.content.get(theirs, { output: join(kubo.folder, 'unpacked') })
    const added = await ours.content.add(tree)
    for (const version of [1, 2] as const) {
      const fromUs = join(kubo.folder, `from-us-${version}.car`)
      const { blocks } = await ours.content.repo.exportCar(added.cid.toString(), { output: fromUs, version })
      const said = await kubo.run(['dag', 'import', '--stats', fromUs])
      assert.ok(said.includes(added.cid.toString()), said)
      assert.ok(said.includes(`Imported ${blocks} blocks`), said)
    }
    await kubo.run(['get', '--offline', '-o', join(kubo.folder, 'from-us'), added.cid.toString()])
    for (const name of await readdir(tree)) {
      const original = await readFile(join(tree, name))
      assert.ok(original.equals(await readFile(join(kubo.folder, 'unpacked', name))), name)
      assert.ok(original.equals(await readFile(join(kubo.folder, 'from-us', name))), name)
    }
  })
})
