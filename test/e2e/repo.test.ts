/** The blocks on a disk as their owner looks after them: what they take, whether they are sound, what may go, CARs. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode } from '../support/cli-node.ts'

const BYTES = 3_000_000

describe('the block store of a node', function () {
  this.timeout(90_000)
  let home: CliHome
  before(async () => {
    home = await createCliHome()
  })
  after(async () => {
    await home[Symbol.asyncDispose]()
  })

  const bytesOnDisk = async (): Promise<number> => {
    const folder = join(home.dataFolder, 'blocks', 'packs')
    const sizes = await Promise.all(
      (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  }

  it('is counted, verified, freed of what is unpinned, and carried in CARs', async () => {
    const [keep, drop] = [join(home.folder, 'keep'), join(home.folder, 'drop')]
    await writeFile(keep, randomBytes(BYTES))
    await writeFile(drop, randomBytes(BYTES))
    const node = await startCliNode(home, home.dataFolder, { flags: ['--reach', 'local'] })
    const kept = String((await node.succeed(['add', keep, '--name', 'mine'])).json?.['cid'])
    const dropped = String((await node.succeed(['add', drop, '--private'])).json?.['cid'])
    assert.match((await node.succeed(['pin', 'list'])).stdout, /"name":"mine"/)
    const { json: before } = await node.succeed(['repo', 'stat'])
    assert.ok(Number(before?.['bytesOnDisk']) > 2 * BYTES, JSON.stringify(before))
    assert.deepEqual(before?.['pins'], 2)

    const car = join(home.folder, 'f.car')
    await node.succeed(['dag', 'export', dropped, '-o', car])
    assertRefused(await node.run(['dag', 'export', dropped, '-o', car]), 'ERR_OUTPUT_EXISTS')

    await node.succeed(['pin', 'rm', dropped])
    const { json: freed } = await node.succeed(['repo', 'gc'])
    assert.ok(Number(freed?.['bytesFreed']) >= BYTES, JSON.stringify(freed))
    const left = await bytesOnDisk()
    assert.ok(left < BYTES + 100_000, `${left} bytes are left`)
    const { json: sound } = await node.succeed(['repo', 'verify'])
    assert.deepEqual([sound?.['corrupt'], sound?.['incomplete']], [[], []])

    const { json: imported } = await node.succeed(['dag', 'import', car, '--private', '--name', 'back'])
    assert.deepEqual(imported?.['roots'], [{ cid: dropped, missing: 0, isPinned: true }])
    await node.succeed(['get', dropped, '-o', join(home.folder, 'copy')])
    assert.ok((await readFile(join(home.folder, 'copy'))).equals(await readFile(drop)))
    assertRefused(await node.run(['dag', 'import', keep]), 'ERR_CAR_INVALID')
    assert.ok(kept.length > 0)
    await node.stop()
  })

  it('shows what a failing disk did to it, and exits so that a script sees it', async () => {
    const folder = join(home.dataFolder, 'blocks', 'packs')
    const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.pack'))
    const pack = await readFile(join(folder, name))
    pack[2_000_000] = (pack[2_000_000] ?? 0) ^ 1
    await writeFile(join(folder, name), pack)
    const node = await startCliNode(home, home.dataFolder)
    const { code, json } = await node.run(['repo', 'verify'])
    assert.equal(code, 7)
    assert.equal((json?.['corrupt'] as string[]).length, 1)
    assert.equal((json?.['incomplete'] as unknown[]).length, 1)
    await node.stop()
  })
})
