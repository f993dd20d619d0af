import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, ROOT, type CliHome } from '../support/cli.ts'
import { startProcess, type ProcessEnd } from '../support/process.ts'

/** A program of somebody else: uses the types, and starts and stops a node. */
const PROGRAM = `
import { startNode, type ElastosNode, type NodeInit } from 'elastos'
const init: NodeInit = { dataFolder: './node-data', reach: 'local', listen: ['/ip4/127.0.0.1/tcp/0'] }
await using node: ElastosNode = await startNode(init)
const did: string = node.status().did
console.log(JSON.stringify({ event: 'started', did }))
// @ts-expect-error: the reach is one of three words
export const wrong: NodeInit = { dataFolder: 'x', reach: 'everywhere' }
`

describe('the embedding API', () => {
  it('runs in a program of somebody else, and lets it end', async () => {
    await using home = await createProject()
    await using running = await startProcess({
      command: process.execPath,
      args: ['program.ts'],
      cwd: home.folder,
      env: home.env
    })
    const { did } = await running.event('started', { timeoutMs: 30_000 })
    assert.match(String(did), /^did:key:z6Mk/)
    assert.deepEqual(await running.ended, { code: 0, signal: null } satisfies ProcessEnd)
  })

  it('has types that a strict compiler takes, down to the last declaration', async () => {
    await using home = await createProject()
    const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node']
    const target = ['--module', 'nodenext', '--target', 'esnext', '--lib', 'esnext,dom']
    await using running = await startProcess({
      command: process.execPath,
      args: [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), ...options, ...target, 'program.ts'],
      cwd: home.folder
    })
    const { code } = await running.ended
    assert.equal(running.stdout.text(), '')
    assert.equal(code, 0)
  })
})

async function createProject(): Promise<CliHome> {
  const home = await createCliHome()
  const modules = join(home.folder, 'node_modules')
  await mkdir(modules)
  await symlink(ROOT, join(modules, 'elastos'))
  await symlink(join(ROOT, 'node_modules', '@types'), join(modules, '@types'))
  await writeFile(join(home.folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(home.folder, 'program.ts'), PROGRAM)
  return home
}
