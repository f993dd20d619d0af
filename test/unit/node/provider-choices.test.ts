import assert from 'node:assert/strict'
import { errorCode } from '#contracts'
import { openProviderChoices } from '../../../node/provider-choices.ts'
import type { TextFiles } from '../../../node/text-files.ts'

const CHOICE = { lineage: 'did:key:z6Mk/files', powers: ['disk'] }

/** One file in memory. */
class OneFile implements TextFiles {
  text: string | undefined

  async read(): Promise<string | undefined> {
    return await Promise.resolve(this.text)
  }

  async replace(_path: string, text: string): Promise<void> {
    this.text = text
    await Promise.resolve()
  }
}

describe('who provides what', () => {
  it('is the choice of the user, with the powers given for it, also after a restart', async () => {
    const file = new OneFile()
    const before = await openProviderChoices(file, 'providers.json')
    await before.choose('localhost@1', CHOICE)
    const after = await openProviderChoices(file, 'providers.json')
    assert.equal(after.chosen('localhost@1'), CHOICE.lineage)
    assert.deepEqual(after.powersOf(CHOICE.lineage), ['disk'])
    assert.deepEqual(after.powersOf('did:key:z6Mk/other'), [])
    await after.choose('localhost@1', undefined)
    assert.equal(after.chosen('localhost@1'), undefined)
    assert.deepEqual(after.powersOf(CHOICE.lineage), [], 'a power ends with the choice')
  })

  it('remembers what a wish led to, of a bounded number', async () => {
    const file = new OneFile()
    const choices = await openProviderChoices(file, 'providers.json')
    await choices.pin('a', 'localhost@1', 'bafy1')
    assert.equal(choices.pinned('a', 'localhost@1'), 'bafy1')
    for (let index = 0; index < 1024; index++) await choices.pin(`b${index}`, 'did@1', 'bafy2')
    assert.equal(choices.pinned('a', 'localhost@1'), undefined)
    const again = await openProviderChoices(file, 'providers.json')
    assert.equal(again.pinned('b1023', 'did@1'), 'bafy2')
  })

  it('is an error when the file is garbled, never an empty list', async () => {
    const file = new OneFile()
    file.text = '{"version":1,"chosen":{"localhost@1":"x"}}'
    await assert.rejects(openProviderChoices(file, 'providers.json'), (thrown) => {
      assert.equal(errorCode(thrown), 'ERR_CONFIG_INVALID')
      return true
    })
  })
})
