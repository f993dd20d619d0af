import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '#contracts'
import { createLevelAuthorityStore, createMemoryAuthorityStore } from '#capsule-host'
import { describeAuthorityStore } from '../../../contract/authority-store.ts'
import { createTemporaryFolder } from '../../../support/temporary-folder.ts'
import { notesGrant, openFixture, reading, type AuthorityFixture } from './fixture.ts'

describeAuthorityStore('memory', async () => {
  const records = new Map<string, Uint8Array>()
  return await Promise.resolve({
    open: async () => await Promise.resolve(createMemoryAuthorityStore(records)),
    [Symbol.asyncDispose]: async () => await Promise.resolve()
  })
})

describeAuthorityStore('level', async () => {
  const folder = await createTemporaryFolder()
  return {
    open: async () => await createLevelAuthorityStore(join(folder.path, 'authority'), silentLogger),
    [Symbol.asyncDispose]: async () => await folder[Symbol.asyncDispose]()
  }
})

describe('authority store: level', () => {
  it('makes a folder that only its owner may enter, and lets nobody else in while it is open', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'authority')
    await using _store = await createLevelAuthorityStore(path, silentLogger)
    assert.equal((await stat(path)).mode & 0o777, 0o700)
    await assert.rejects(createLevelAuthorityStore(path, silentLogger), { code: 'ERR_AUTHORITY_STORE' })
  })

  it('opens when its tables are damaged, allows nothing, and begins anew beside them', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'authority')
    const open = async (): Promise<AuthorityFixture> =>
      await openFixture({ store: await createLevelAuthorityStore(path, silentLogger), snapshotEntries: 50 })
    {
      await using fixture = await open()
      await fixture.authority.grant(notesGrant({ usesMax: 1000 }))
      for (let use = 0; use < 300; use++) await fixture.authority.authorize(reading())
    }
    // Opening it once more moves what is in level's log into tables.
    await (await open())[Symbol.asyncDispose]()
    await damageTables(path)
    await using fixture = await open()
    const { authority } = fixture
    assert.notEqual(authority.damage, undefined)
    assert.equal((await authority.authorize(reading())).code, 'ERR_AUTHORITY_DAMAGED')
    assert.equal((await authority.audit.verify()).isWhole, false)
    await authority.revokeAll()
    await authority.grant(notesGrant())
    assert.equal((await authority.authorize(reading())).isAllowed, true)
    assert.deepEqual(await readdir(folder.path), ['authority', 'authority.damaged', 'authority.head'])
  })
})

/** Turns every 500th byte of every table. */
async function damageTables(folder: string): Promise<void> {
  const tables = (await readdir(folder)).filter((name) => name.endsWith('.ldb'))
  assert.ok(tables.length > 0, 'level wrote no table')
  for (const name of tables) {
    const bytes = await readFile(join(folder, name))
    for (let at = 100; at < bytes.length; at += 500) bytes[at] = (bytes[at] ?? 0) ^ 0xff
    await writeFile(join(folder, name), bytes)
  }
}
