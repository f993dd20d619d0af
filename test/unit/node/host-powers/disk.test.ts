import assert from 'node:assert/strict'
import { createKeyPair, type Did } from '#did'
import type { Provider } from '../../../../capsule-host/broker/provider.ts'
import { createDiskPower } from '../../../../node/host-powers/disk.ts'
import { powerRequest } from '../../../support/power-requests.ts'
import { createSeededRandom } from '../../../support/seeded-random.ts'
import { diskAfterCrash, MemoryDisk } from '../../../support/vault-disk.ts'
import { readFile, testVault } from '../../../support/vaults.ts'

const SOMEBODY = createKeyPair(createSeededRandom(77)).did
const MINE = 'did:key:z6MkAuthor/notes'

interface Lab {
  readonly disk: MemoryDisk
  readonly provider: Provider
  readonly opened: string[]
}

function openLab(lineages: ReadonlyMap<Did, string> = new Map()): Lab {
  const disk = new MemoryDisk()
  const vault = testVault(disk)
  const opened: string[] = []
  const { provider } = createDiskPower({
    lineageOf: async (subject) => await Promise.resolve(lineages.get(subject)),
    openRoot: async (lineage) => {
      opened.push(lineage)
      return await vault.root(lineage, { quotaBytes: 100_000 })
    }
  })
  return { disk, provider, opened }
}

const write = { path: 'a', data: Buffer.from('hello').toString('base64') }

describe('the power over files', () => {
  it('has what it answered on the disk', async () => {
    const { disk, provider } = openLab()
    await provider.call(powerRequest('localhost/write', write))
    const after = diskAfterCrash(disk.steps, disk.steps.length, () => false)
    const root = await testVault(after).root(MINE, { quotaBytes: 100_000 })
    assert.equal(Buffer.from(await readFile(root, 'a')).toString(), 'hello')
  })

  it('acts on the files of whoever the token says, and on nobody’s when that is nobody known', async () => {
    const lineages = new Map<Did, string>([[SOMEBODY, 'did:key:z6MkOther/album']])
    const { provider, opened } = openLab(lineages)
    await provider.call(powerRequest('localhost/write', write, { subject: SOMEBODY }))
    await assert.rejects(provider.call(powerRequest('localhost/read', { path: 'a' })), {
      code: 'ERR_FILE_NOT_FOUND'
    })
    assert.deepEqual(opened, ['did:key:z6MkOther/album', MINE])
    const stranger = createKeyPair(createSeededRandom(78)).did
    await assert.rejects(
      provider.call(powerRequest('localhost/read', { path: 'a' }, { subject: stranger })),
      {
        code: 'ERR_FILE_DENIED'
      }
    )
  })

  it('opens a root once a session, and lets go of it when that ends', async () => {
    const { provider, opened } = openLab()
    const session = new AbortController()
    const more = { sessionSignal: session.signal }
    await Promise.all([1, 2, 3].map(() => provider.call(powerRequest('localhost/list', { path: '' }, more))))
    assert.equal(opened.length, 1)
    session.abort(new Error('over'))
    await assert.rejects(provider.call(powerRequest('localhost/list', { path: '' }, more)), {
      message: 'over'
    })
    await provider.call(powerRequest('localhost/list', { path: '' }, { sessionId: 'next' }))
    assert.equal(opened.length, 2)
  })

  it('lists long names in pieces that fit one message', async () => {
    const { provider } = openLab()
    for (let at = 0; at < 150; at++) {
      const path = String(at).padStart(3, '0') + 'x'.repeat(240)
      await provider.call(powerRequest('localhost/write', { path, data: '' }))
    }
    const names: string[] = []
    for (let hasMore = true; hasMore;) {
      const after = names.at(-1)
      const params = { path: '', ...(after === undefined ? {} : { after }) }
      const answer = (await provider.call(powerRequest('localhost/list', params))) as {
        entries: { name: string }[]
        hasMore: boolean
      }
      assert.ok(Buffer.byteLength(JSON.stringify(answer)) < 60_000)
      names.push(...answer.entries.map(({ name }) => name))
      hasMore = answer.hasMore
    }
    assert.equal(names.length, 150)
  })

  it('refuses more than the quota', async () => {
    const { provider } = openLab()
    const data = Buffer.alloc(30_000).toString('base64')
    for (const path of ['a', 'b', 'c']) await provider.call(powerRequest('localhost/write', { path, data }))
    await assert.rejects(provider.call(powerRequest('localhost/write', { path: 'd', data })), {
      code: 'ERR_FILE_QUOTA'
    })
  })
})
