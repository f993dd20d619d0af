import assert from 'node:assert/strict'
import { systemClock, systemRandom } from '#contracts'
import { createKeystore, openKeystore, writePrivateFile } from '#did'
import { createMemoryFiles } from '../../sim/memory-files.ts'

describe('private files in memory', () => {
  const components = { files: createMemoryFiles(), clock: systemClock, random: systemRandom }
  const place = { folder: '/simulated/node/keys', name: 'note' }

  it('keep an identity for as long as the device is there, and lose nothing else', async () => {
    const made = await createKeystore(place.folder, components)
    const opened = await openKeystore(place.folder, components)
    assert.equal(opened.device.did, made.device.did)
    await assert.rejects(createKeystore(place.folder, components), { code: 'ERR_KEYSTORE_EXISTS' })
    assert.deepEqual(await components.files.list(place.folder), ['identity.json'])
    assert.deepEqual(await components.files.list('/simulated'), ['node'])
    await assert.rejects(openKeystore(place.folder, { ...components, files: createMemoryFiles() }), {
      code: 'ERR_KEYSTORE_MISSING'
    })
  })

  it('refuse a name that is taken and a file that is not there, as a disk does', async () => {
    const { files } = components
    const write = { bytes: Buffer.from('one'), mode: 'create', random: systemRandom } as const
    await writePrivateFile(files, place, write)
    await assert.rejects(writePrivateFile(files, place, write), { code: 'ERR_FILE_EXISTS' })
    await writePrivateFile(files, place, { ...write, bytes: Buffer.from('two'), mode: 'replace' })
    const read = await files.read(`${place.folder}/note`, 100)
    assert.equal(Buffer.from(read?.bytes ?? []).toString(), 'two')
    assert.equal((await files.read(`${place.folder}/note`, 1))?.bytes.length, 2)
    await assert.rejects(files.rename('/nowhere', '/elsewhere'), { code: 'ENOENT' })
    await assert.rejects(files.createFile('/no/folder/here', write.bytes), { code: 'ENOENT' })
    assert.equal(await files.read('/nowhere', 1), undefined)
    assert.equal(await files.stat('/nowhere'), undefined)
  })
})
