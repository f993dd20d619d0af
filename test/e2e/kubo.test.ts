/** Our node, through its command line, with two real Kubo nodes in the LAN DHT that all three share. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kuboOrSkip, startKubo, type Kubo } from '../net/kubo.ts'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { ipnsNameFromDid } from '#did'

const MIB = 1024 * 1024

describe('a node with --ipfs=lan and two Kubo nodes', function () {
  this.timeout(180_000)
  const stack = new AsyncDisposableStack()
  let home: CliHome
  let kubos: readonly [Kubo, Kubo]

  const elastos = async (...args: string[]): Promise<Record<string, unknown>> => {
    const result = await home.run([...args, '--json', '--no-start'], { timeoutMs: 120_000 })
    assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`)
    return result.json ?? {}
  }

  before(async function () {
    const program = await kuboOrSkip(this)
    this.timeout(120_000)
    kubos = [stack.use(await startKubo(program)), stack.use(await startKubo(program))]
    await kubos[0].run(['swarm', 'connect', kubos[1].addresses[0] ?? ''])
    home = stack.use(await createCliHome())
    // Only the first is told to the node; the second is for the DHT to name.
    const flags = ['--ipfs', 'lan', '--ipfs-bootstrap', kubos[0].addresses[0] ?? '']
    const started = await home.run(['node', 'start', '--detach', '--json', ...flags])
    assert.equal(started.code, 0, started.stderr)
  })

  after(async () => {
    if (home !== undefined) await home.run(['node', 'stop'])
    await stack.disposeAsync()
  })

  it('fetches a file of 64 MiB from the Kubo it was never told of, and Kubo fetches one from it', async () => {
    const [first, second] = kubos
    const file = join(second.folder, 'large')
    await writeFile(file, randomBytes(64 * MIB))
    const theirs = await second.run(['add', '-Q', '--cid-version=1', file], { timeoutMs: 60_000 })
    const output = join(home.folder, 'from-kubo')
    await elastos('get', theirs, '-o', output)
    assert.ok((await readFile(file)).equals(await readFile(output)))

    const own = join(home.folder, 'own')
    await writeFile(own, randomBytes(64 * MIB))
    const { cid } = await elastos('add', own)
    const copy = join(first.folder, 'from-us')
    await first.run(['get', '-o', copy, String(cid)], { timeoutMs: 90_000 })
    assert.ok((await readFile(own)).equals(await readFile(copy)))
  })

  it('fetches a folder of 200 files from Kubo, and Kubo one from it', async () => {
    const [first, second] = kubos
    const folder = join(home.folder, 'tree')
    await mkdir(folder)
    for (let index = 0; index < 200; index++)
      await writeFile(join(folder, `file ${index}`), randomBytes(500 + index))
    const { cid } = await elastos('add', folder)
    await second.run(['get', '-o', join(second.folder, 'tree'), String(cid)], { timeoutMs: 60_000 })
    await assertSameFolder(folder, join(second.folder, 'tree'))

    const theirs = await first.run(['add', '-Q', '-r', '--cid-version=1', join(second.folder, 'tree')])
    const output = join(home.folder, 'tree-of-kubo')
    await elastos('get', theirs, '-o', output)
    await assertSameFolder(folder, output)
  })

  it('Kubo resolves the name of a publisher here, and a name of Kubo resolves here', async () => {
    const [first, second] = kubos
    const folder = join(home.folder, 'hello')
    const made = await home.run(['capsule', 'new', 'hello', '--folder', folder])
    assert.equal(made.code, 0, made.stderr)
    const { publisher } = await elastos('capsule', 'publish', folder)
    const name = ipnsNameFromDid(String(publisher))
    const { cid: index } = await elastos('name', 'resolve', name)
    assert.equal(await second.run(['name', 'resolve', '--nocache', name]), `/ipfs/${String(index)}`)

    const value = await first.run([
      'add',
      '-Q',
      '--cid-version=1',
      join(first.folder, '..', 'repo', 'version')
    ])
    const answer = await first.run(['name', 'publish', `/ipfs/${value}`])
    const theirName = /k51\w+/.exec(answer)?.[0] ?? ''
    const { cid } = await elastos('name', 'resolve', theirName)
    assert.equal(cid, value)
  })
})

async function assertSameFolder(expected: string, actual: string): Promise<void> {
  const names = await readdir(expected)
  assert.deepEqual((await readdir(actual)).sort(), names.sort())
  for (const name of names) {
    assert.ok((await readFile(join(expected, name))).equals(await readFile(join(actual, name))), name)
  }
}
