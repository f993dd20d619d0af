import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#contracts'
import { buildCapsule, CAPSULE_LANGUAGES, newCapsule, systemPowers, type HostPowers } from '#capsule-host'
import { needs, type Requirement } from '../../support/requirements.ts'
import { runModule } from '../../support/script-capsule.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const components = { powers: systemPowers, clock: systemClock }
const signal = new AbortController().signal
const NEEDS: Readonly<Record<string, Requirement>> = { c: 'clang for WASI', rust: 'rust for WASI', go: 'go' }

describe('a new capsule in', () => {
  for (const language of CAPSULE_LANGUAGES) {
    it(`${language} builds, greets whom it is told to and gives back its input`, async function () {
      this.timeout(180_000)
      const requirement = NEEDS[language]
      if (requirement !== undefined) await needs(this, requirement)
      await using parent = await createTemporaryFolder()
      const folder = join(parent.path, 'hello')
      await newCapsule(systemPowers, { name: 'hello', folder, language })
      const { manifest } = await buildCapsule(components, { folder, signal })
      assert.equal(manifest.build?.language, language)
      assert.deepEqual(await readdir(join(folder, 'build')), ['hello.wasm'])
      const module = await readFile(join(folder, 'build', 'hello.wasm'))
      const run = await runModule(module, { args: ['earth'], stdin: ['one\n', 'twö\n'] })
      assert.deepEqual(run, { code: 0, output: 'hello, earth, from hello\none\ntwö\n', errors: '' })
      const away = await runModule(module)
      assert.equal(away.output, 'hello, world, from hello\n')
    })
  }

  it('a language whose compiler is not here says what to install', async () => {
    await using parent = await createTemporaryFolder()
    const folder = join(parent.path, 'hello')
    await newCapsule(systemPowers, { name: 'hello', folder, language: 'rust' })
    const powers: HostPowers = { ...systemPowers, findProgram: async () => await Promise.resolve(undefined) }
    await assert.rejects(
      buildCapsule({ powers, clock: systemClock }, { folder, signal }),
      (thrown: { code: string; detail: string[] }) => {
        assert.equal(thrown.code, 'ERR_CAPSULE_COMPILER')
        assert.match(thrown.detail.join(), /rustup target add wasm32-wasip1/)
        return true
      }
    )
  })
})
