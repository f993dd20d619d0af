import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '#contracts'
import { createLevelAuthorityStore, createMemoryAuthorityStore } from '#capsule-host'
import { describeAuthorityStore } from '../../../contract/authority-store.ts'
import { createTemporaryFolder } from '../../../support/temporary-folder.ts'

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
})
