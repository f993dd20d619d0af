import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'
import { blockOf, listed, openIn, signal } from './pack-store.ts'

interface Vector {
  readonly name: string
  readonly pack: string
  readonly blocks: readonly string[]
}

async function vectors(file: string): Promise<Vector[]> {
  const path = join(import.meta.dirname, '..', '..', 'vectors', 'pack', file)
  return JSON.parse(await readFile(path, 'utf8')) as Vector[]
}

describe('packs of this and earlier versions', () => {
  for (const file of ['valid.json', 'invalid.json']) {
    it(`give exactly the blocks that are sound: ${file}`, async () => {
      for (const { name, pack, blocks } of await vectors(file)) {
        await using folder = await createTemporaryFolder()
        await mkdir(join(folder.path, 'packs'))
        await writeFile(join(folder.path, 'packs', '00000001.pack'), Buffer.from(pack, 'hex'))
        const added = blockOf(Buffer.from(`beside ${name}`))
        for (const expected of [blocks, [...blocks, added.cid.toString()]]) {
          await using store = await openIn(folder.path)
          assert.deepEqual(await listed(store), [...expected].sort(), name)
          assert.deepEqual((await store.verify({ signal })).corrupt, [], name)
          await store.put(added.cid, added.bytes)
        }
      }
    })
  }
})
