import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemRandom } from '#contracts'
import { createKeyPair, systemPrivateFiles, type Did } from '#did'
import { openContacts, type Contacts } from '../../../node/contacts.ts'
import { createTextFiles } from '../../../node/text-files.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const open = async (path: string): Promise<Contacts> =>
  await openContacts(createTextFiles(systemPrivateFiles, systemRandom), path)
const someDid = (): Did => createKeyPair(systemRandom).did

describe('the address book', () => {
  it('is the same after a restart', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'contacts.json')
    const did = someDid()
    await (await open(path)).add('alice', did)
    assert.equal((await open(path)).didOf('alice'), did)
  })

  it('loses none of many that are added at once', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'contacts.json')
    const contacts = await open(path)
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => await contacts.add(`friend${index}`, someDid()))
    )
    assert.equal((await open(path)).list().length, 40)
  })

  it('never lets a name change its meaning', async () => {
    await using folder = await createTemporaryFolder()
    const contacts = await open(join(folder.path, 'contacts.json'))
    const did = someDid()
    await contacts.add('alice', did)
    await contacts.add('alice', did)
    await assert.rejects(contacts.add('alice', someDid()), { code: 'ERR_CONTACT_INVALID' })
    assert.equal(contacts.didOf('alice'), did)
  })

  it('takes two spellings of the same letters for one name', async () => {
    await using folder = await createTemporaryFolder()
    const contacts = await open(join(folder.path, 'contacts.json'))
    const did = someDid()
    await contacts.add('zo\u0065\u0308', did)
    assert.equal(contacts.didOf('zo\u00eb'), did)
    await contacts.remove('zo\u00eb')
    assert.throws(() => contacts.didOf('zo\u0065\u0308'), { code: 'ERR_CONTACT_UNKNOWN' })
  })

  for (const name of ['', 'a/b', 'a b', '.hidden', 'x\u001b[2J', 'did:key:z', 'a\u202eb', 'x'.repeat(65)]) {
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      await using folder = await createTemporaryFolder()
      const contacts = await open(join(folder.path, 'contacts.json'))
      await assert.rejects(contacts.add(name, someDid()), { code: 'ERR_CONTACT_INVALID' })
    })
  }

  it('is never taken for an empty one when it cannot be read', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'contacts.json')
    await writeFile(path, '{"version":1,"contacts":[{"petname":"x"', { mode: 0o600 })
    await assert.rejects(open(path), { code: 'ERR_CONFIG_INVALID' })
    assert.match(await readFile(path, 'utf8'), /petname/)
  })
})
