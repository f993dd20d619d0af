import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemRandom } from '#contracts'
import { BOOTSTRAP_VALUE_CHARS_MAX, BOOTSTRAP_VALUES_MAX } from '#bootstrap'
import { systemPrivateFiles } from '#did'
import { readConfig, writeConfig } from '../../../node/config.ts'
import { createTextFiles } from '../../../node/text-files.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const files = createTextFiles(systemPrivateFiles, systemRandom)

describe('the remembered choices', () => {
  it('are none before the first', async () => {
    await using folder = await createTemporaryFolder()
    assert.deepEqual(await readConfig(files, join(folder.path, 'config.json')), {})
  })

  it('are read as they were written, by their owner alone', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'config.json')
    const choices = {
      reach: 'lan',
      discover: 'off',
      bootstrap: ['http://127.0.0.1:1'],
      hasChatted: true
    } as const
    await writeConfig(files, path, choices)
    assert.deepEqual(await readConfig(files, path), choices)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('hold every first peer that a command line may name', async () => {
    await using folder = await createTemporaryFolder()
    const path = join(folder.path, 'config.json')
    const bootstrap = Array.from({ length: BOOTSTRAP_VALUES_MAX }, () =>
      'x'.repeat(BOOTSTRAP_VALUE_CHARS_MAX)
    )
    await writeConfig(files, path, { bootstrap })
    assert.deepEqual(await readConfig(files, path), { bootstrap })
  })

  for (const text of [
    '',
    '{',
    '[]',
    '{"version":2}',
    '{"version":1,"reach":"moon"}',
    '{"version":1,"more":1}'
  ]) {
    it(`are refused, not guessed, from ${JSON.stringify(text)}`, async () => {
      await using folder = await createTemporaryFolder()
      const path = join(folder.path, 'config.json')
      await writeFile(path, text, { mode: 0o600 })
      await assert.rejects(readConfig(files, path), { code: 'ERR_CONFIG_INVALID' })
    })
  }
})
