import assert from 'node:assert/strict'
import { openInstalledRecords, type InstalledCapsule, type RecordFile } from '#capsule-host'

function fileOf(text: string | undefined): RecordFile & { text: string | undefined } {
  const file = {
    text,
    read: async () => await Promise.resolve(file.text),
    replace: async (next: string) => {
      file.text = await Promise.resolve(next)
    }
  }
  return file
}

const capsule = (index: number): InstalledCapsule => ({
  lineage: `did:key:z6Mk${index}/notes`,
  alias: `notes-${index}`,
  publisher: `did:key:z6Mk${index}`,
  name: 'notes',
  installedAtMs: 1,
  current: 'a',
  versions: [{ cid: 'a', version: '1.0.0', installedAtMs: 1 }]
})

describe('the record of installed capsules', () => {
  it('is what was written, also when changes overlap', async () => {
    const file = fileOf(undefined)
    const records = await openInstalledRecords(file)
    await Promise.all([records.put(capsule(1)), records.put(capsule(2)), records.put(capsule(3))])
    await records.delete(capsule(2).lineage)
    const read = await openInstalledRecords(file)
    assert.deepEqual(read.list(), [capsule(1), capsule(3)])
  })

  it('is bounded', async () => {
    const records = await openInstalledRecords(fileOf(undefined))
    for (let index = 0; index < 256; index++) await records.put(capsule(index))
    await assert.rejects(records.put(capsule(256)), { code: 'ERR_CAPSULES_TOO_MANY' })
    await records.put({ ...capsule(0), alias: 'still' })
  })

  it('changes nothing that can be seen when it cannot be written', async () => {
    const file = fileOf(undefined)
    const records = await openInstalledRecords(file)
    await records.put(capsule(1))
    file.replace = async () => await Promise.reject(new Error('no space'))
    await assert.rejects(records.put(capsule(2)))
    assert.deepEqual(records.list(), [capsule(1)])
  })

  for (const [what, text] of [
    ['no JSON', 'hello'],
    ['another version', '{"version":2,"capsules":[]}'],
    [
      'a name twice',
      JSON.stringify({ version: 1, capsules: [capsule(1), { ...capsule(2), alias: 'notes-1' }] })
    ],
    [
      'a current version that is not kept',
      JSON.stringify({ version: 1, capsules: [{ ...capsule(1), current: 'b' }] })
    ],
    ['a name that is none', JSON.stringify({ version: 1, capsules: [{ ...capsule(1), alias: '../x' }] })]
  ] as const) {
    it(`is never taken for empty when it holds ${what}`, async () => {
      await assert.rejects(openInstalledRecords(fileOf(text)), { code: 'ERR_CAPSULE_RECORD' })
    })
  }
})
