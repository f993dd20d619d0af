import assert from 'node:assert/strict'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LAYERS } from '../../../scripts/layers.js'
import { ROOT } from '../../support/cli.ts'
import { startProcess } from '../../support/process.ts'
import { createTemporaryFolder } from '../../support/temporary-folder.ts'

const CLEAN = {
  'contracts/index.ts': `export const word = 1`,
  'did/index.ts': `import { word } from '#contracts'\nimport { inner } from './inner.ts'\nexport const did = word + inner`,
  'did/inner.ts': `export const inner = 2`
}

describe('the layer rule', () => {
  it('accepts a tree that keeps it', async () => {
    assert.deepEqual(await violations(CLEAN), [])
  })

  it('refuses an import that its row does not allow', async () => {
    const planted = {
      ...CLEAN,
      'contracts/index.ts': `import { inner } from '../did/inner.ts'\nexport const word = inner`
    }
    assert.ok((await violations(planted)).includes('layer-contracts'))
  })

  it('refuses it for types too', async () => {
    const planted = {
      ...CLEAN,
      'contracts/index.ts': `import type { inner } from '#did'\nexport type Word = typeof inner`
    }
    assert.ok((await violations(planted)).includes('layer-contracts-types'))
  })

  it('tells types from values where a row does', async () => {
    const types = {
      ...CLEAN,
      'rooms/index.ts': `export type Code = 1`,
      'cli/a.ts': `export type { Code } from '#rooms'`
    }
    assert.deepEqual(await violations(types), [])
    const values = {
      ...CLEAN,
      'rooms/index.ts': `export const code = 1`,
      'cli/a.ts': `export { code } from '#rooms'`
    }
    assert.deepEqual(await violations(values), ['layer-cli'])
  })

  it('refuses to reach around a front door', async () => {
    const planted = { ...CLEAN, 'rooms/index.ts': `export { inner } from '../did/inner.ts'` }
    assert.deepEqual(await violations(planted), ['front-door-did'])
  })

  it('refuses a circle', async () => {
    const planted = {
      ...CLEAN,
      'did/inner.ts': `import { did } from './index.ts'\nexport const inner = () => did`
    }
    assert.ok((await violations(planted)).includes('no-circular'))
  })

  it('refuses Node in a capsule, and tests in the product', async () => {
    const planted = {
      ...CLEAN,
      'capsules/chat/index.ts': `export { readFile } from 'node:fs'`,
      'test/support/thing.ts': `export const thing = 1`,
      'did/inner.ts': `export { thing as inner } from '../test/support/thing.ts'`
    }
    const found = await violations(planted)
    assert.ok(found.includes('pure-capsules') && found.includes('no-test-in-product'), String(found))
  })

  it('lets nobody import what imports it', () => {
    const reach = (folder: string): string[] => {
      const direct = LAYERS.find((layer) => layer.folder === folder)?.mayImport ?? []
      return [...direct, ...direct.flatMap(reach)]
    }
    for (const { folder } of LAYERS) assert.ok(!reach(folder).includes(folder), folder)
  })
})

/** The names of the rules that a tree of these files breaks, as `npm run check` would find them. */
async function violations(files: Readonly<Record<string, string>>): Promise<string[]> {
  await using folder = await createTemporaryFolder()
  for (const name of ['package.json', 'tsconfig.json', '.dependency-cruiser.js', 'scripts/layers.js']) {
    await cp(join(ROOT, name), join(folder.path, name))
  }
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true })
    await writeFile(join(folder.path, path), `${text}\n`)
  }
  const program = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs')
  const folders = [...new Set(Object.keys(files).map((path) => path.split('/')[0] ?? ''))]
  await using running = await startProcess({
    command: process.execPath,
    args: [program, '--config', '.dependency-cruiser.js', '--no-cache', '--output-type', 'json', ...folders],
    cwd: folder.path
  })
  await running.ended
  const { summary } = JSON.parse(running.stdout.text()) as {
    summary: { violations: { rule: { name: string } }[] }
  }
  return [...new Set(summary.violations.map(({ rule }) => rule.name))].sort()
}
