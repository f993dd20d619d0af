import assert from 'node:assert/strict'
import { errorCode } from '#contracts'
import { openProviderChoices } from '../../../node/provider-choices.ts'
import type { TextFiles } from '../../../node/text-files.ts'

const CHOICE = { lineage: 'did:key:z6Mk/files', powers: ['disk'] }

/** One file in memory. */
class OneFile implements TextFiles {
  text: string | undefined
  isFull = false

  async read(): Promise<string | undefined> {
    return await Promise.resolve(this.text)
  }

  async replace(_path: string, text: string): Promise<void> {
    if (this.isFull) throw new Error('no space left')
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

  it('stays what it was when it cannot be kept', async () => {
    const file = new OneFile()
    const choices = await openProviderChoices(file, 'providers.json')
    await choices.choose('localhost@1', CHOICE)
    file.isFull = true
    await assert.rejects(choices.choose('localhost@1', { ...CHOICE, lineage: 'did:key:z6Mk/other' }))
    await assert.rejects(choices.choose('did@1', CHOICE))
    assert.deepEqual(choices.list(), [{ contract: 'localhost@1', ...CHOICE }])
  })

  it('ends with the capsule that was chosen, and its powers with it', async () => {
    const file = new OneFile()
    const choices = await openProviderChoices(file, 'providers.json')
    await choices.choose('localhost@1', CHOICE)
    await choices.choose('did@1', { ...CHOICE, lineage: 'did:key:z6Mk/other' })
    await choices.forget(CHOICE.lineage)
    const after = await openProviderChoices(file, 'providers.json')
    assert.deepEqual([after.chosen('localhost@1'), after.powersOf(CHOICE.lineage)], [undefined, []])
    assert.equal(after.chosen('did@1'), 'did:key:z6Mk/other')
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
