import assert from 'node:assert/strict'
import { join } from 'node:path'
import { writeCapsuleFolder } from '../support/capsule-folder.ts'
import { createCliHome, type CliHome } from '../support/cli.ts'
import { assertRefused, startCliNode, startCliSeed, type CliNode } from '../support/cli-node.ts'
import { needs } from '../support/requirements.ts'

const ECHO = `
  capsule.write('echo ' + capsule.args.join(' ') + '\\n')
  for await (const line of capsule.lines()) capsule.write('you said ' + line + '\\n')
`
/** Counts its runs in a file of its own. */
const COUNTER = `
  await capsule.request({ command: 'localhost/*', resource: 'localhost://*' })
  let runs = 0
  try {
    const { data } = await capsule.call('localhost/read', { path: 'runs' })
    runs = Number(atob(data))
  } catch {}
  await capsule.call('localhost/write', { path: 'runs', data: btoa(String(runs + 1)) })
  capsule.write('run ' + (runs + 1) + '\\n')
`
/** Asks whoever provides files what is in one, once a line. */
const ASKER = `
  await capsule.request({ command: 'localhost/*', resource: 'localhost://*' })
  for await (const _line of capsule.lines()) {
    const said = await capsule.call('localhost/read', { path: 'who' }).then(
      ({ data }) => atob(data),
      ({ code }) => code
    )
    capsule.write('heard ' + said + '\\n')
  }
`
/** Another provider of files, in which there is what it is called. */
const ANSWERER = (name: string): string => `
  const refuse = () => { throw new Error('no such thing') }
  const read = () => ({ data: btoa('${name}'), isEnd: true })
  await capsule.provide('localhost', { read, write: refuse, list: refuse, stat: refuse, delete: refuse, mkdir: refuse })
`
const SPIN = `capsule.write('spinning\\n'); for (;;) {}`
const READ = { command: 'localhost/read', resource: 'localhost://notes/*', reason: 'To show your notes.' }
const WRITE = { command: 'localhost/write', resource: 'localhost://notes/*', reason: 'To keep your notes.' }

/** A capsule as `capsule list` prints it. */
interface Listed {
  readonly alias: string
  readonly version: string
  readonly lineage: string
  readonly running: number
}

describe('installed capsules', function () {
  this.timeout(180_000)
  let home: CliHome
  let seed: CliNode
  let node: CliNode

  before(async function () {
    await needs(this, 'bubblewrap')
    home = await createCliHome()
    seed = await startCliSeed(home, join(home.folder, 'seed'))
    const bootstrap = String(seed.status['bootstrapUrl'])
    node = await startCliNode(home, join(home.folder, 'node'), { flags: ['--bootstrap', bootstrap] })
  })

  after(async () => {
    await node[Symbol.asyncDispose]()
    await seed[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const publish = async (
    name: string,
    version: string,
    init: { script?: string; manifest?: Readonly<Record<string, unknown>> } = {}
  ): Promise<{ cid: string; lineage: string }> => {
    const { script = ECHO, manifest = {} } = init
    const folder = await writeCapsuleFolder(home.folder, { name, version, script, manifest })
    const { json } = await node.succeed(['capsule', 'publish', folder])
    return { cid: String(json?.['cid']), lineage: `${String(json?.['publisher'])}/${name}` }
  }
  const list = async (): Promise<readonly Listed[]> => {
    const { json } = await node.succeed(['capsule', 'list'])
    return json?.['capsules'] as Listed[]
  }

  it('are shown before they are installed, and refused where nobody can be asked', async () => {
    const { lineage } = await publish('shown', '1.0.0', { manifest: { capabilities: [READ], files: true } })
    const dry = await node.succeed(['capsule', 'install', lineage, '--dry-run'])
    assert.equal(dry.json?.['kind'], 'install')
    assert.deepEqual((dry.json['ceiling'] as { capabilities: unknown }).capabilities, [READ])
    assertRefused(await node.run(['capsule', 'install', lineage]), 'ERR_TERMINAL_NEEDED')
    assert.deepEqual(await list(), [])
    const text = await home.run([
      'capsule',
      'install',
      lineage,
      '--dry-run',
      '--data',
      node.status.dataFolder
    ])
    assert.match(
      text.stdout,
      /localhost\/read +localhost:\/\/notes\/\* +its author says: "To show your notes\."/
    )
  })

  it('run by their short name, with no network', async () => {
    const { lineage } = await publish('echo', '1.0.0')
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    const run = ['capsule', 'run', 'echo', '--data', node.status.dataFolder, '--', 'a', 'b']
    const { stdout } = await home.run(run, { input: 'hello\n' })
    assert.equal(stdout, 'echo a b\nyou said hello\n')
    await node.stop()
    await using alone = await startCliNode(home, node.status.dataFolder, { flags: ['--no-routing'] })
    for (const name of ['echo', lineage]) {
      const run = await alone.succeed(['capsule', 'run', name])
      assert.equal(run.stdout, 'echo \n')
    }
    assertRefused(await alone.run(['capsule', 'run', 'nothing']), 'ERR_TARGET_INVALID')
    // Nobody published a later one: the key that signed this build is gone.
    assertRefused(await alone.run(['capsule', 'install', 'shipped/chat', '--yes']), 'ERR_NAME_NOT_FOUND')
    const { json } = await alone.succeed(['capsule', 'verify', 'shipped/chat'])
    assert.deepEqual([json?.['name'], json?.['isSigned']], ['chat', true])
    await alone.stop()
    node = await startCliNode(home, node.status.dataFolder)
  })

  it('are asked about on a terminal, where no is the usual answer', async function () {
    await needs(this, 'terminal')
    const { lineage } = await publish('asked', '1.0.0', { manifest: { capabilities: [READ] } })
    const install = ['capsule', 'install', lineage, '--data', node.status.dataFolder]
    {
      await using terminal = await home.terminal(install)
      await terminal.stdout.match(/Install it as asked\? \[y\/N\]/)
      terminal.type('')
      assert.equal((await terminal.ended).code, 130)
    }
    await using terminal = await home.terminal(install)
    await terminal.stdout.match(/Install it as asked\? \[y\/N\]/)
    terminal.type('y')
    assert.equal((await terminal.ended).code, 0)
    assert((await list()).some(({ alias }) => alias === 'asked'))
  })

  it('ask again at an update only for what is new', async () => {
    const { lineage } = await publish('growing', '1.0.0', { manifest: { capabilities: [READ] } })
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    await publish('growing', '1.1.0', { manifest: { capabilities: [READ] } })
    await node.succeed(['capsule', 'update', 'growing'])
    await publish('growing', '1.2.0', { manifest: { capabilities: [READ, WRITE] } })
    const dry = await node.succeed(['capsule', 'update', 'growing', '--dry-run'])
    assert.deepEqual((dry.json?.['added'] as { capabilities: unknown }).capabilities, [WRITE])
    assertRefused(await node.run(['capsule', 'update', 'growing']), 'ERR_TERMINAL_NEEDED')
    const { json } = await node.succeed(['capsule', 'update', 'growing', '--yes'])
    assert.equal((json?.['capsule'] as Listed).version, '1.2.0')
    await node.succeed(['capsule', 'rollback', 'growing'])
    assert.equal((await list()).find(({ alias }) => alias === 'growing')?.version, '1.1.0')
    await node.succeed(['capsule', 'rollback', 'growing', '--to', '1.2.0'])
    assertRefused(
      await node.run(['capsule', 'rollback', 'growing', '--to', '9.0.0']),
      'ERR_CAPSULE_NO_VERSION'
    )
  })

  it('that spin are seen in top, and stopped at once', async () => {
    const { lineage } = await publish('spin', '1.0.0', { script: SPIN })
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    const started = await node.succeed(['capsule', 'run', 'spin', '--detach'])
    assert.equal(typeof started.json?.['run'], 'number')
    const top = async (): Promise<Record<string, unknown> | undefined> => {
      const { json } = await node.succeed(['capsule', 'top'])
      return (json?.['running'] as Record<string, unknown>[]).find(({ name }) => name === 'spin')
    }
    let seen = await top()
    for (let tries = 0; tries < 100 && Number(seen?.['cpuSeconds']) < 0.2; tries++) seen = await top()
    assert(Number(seen?.['cpuSeconds']) >= 0.2)
    assert(Number(seen?.['memoryBytes']) > 1024 * 1024)
    assert.equal(seen?.['isDetached'], true)
    await node.answers()
    const { json } = await node.succeed(['capsule', 'stop', 'spin'])
    assert.equal((json?.['stopped'] as unknown[]).length, 1)
    assert.equal(await top(), undefined)
    assertRefused(await node.run(['capsule', 'stop', 'spin']), 'ERR_CAPSULE_NOT_RUNNING')
    const logs = await node.succeed(['capsule', 'logs', 'spin'])
    assert.match(logs.stdout, /"from":"stdout","text":"spinning"/)
    assert.match(logs.stdout, /ERR_CAPSULE_STOPPED/)
  })

  it('are told apart when two people call theirs the same', async () => {
    const { lineage } = await publish('twin', '1.0.0')
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    await node.succeed(['capsule', 'install', lineage, '--yes', '--as', 'my-twin'])
    const twins = (await list()).filter((capsule) => capsule.lineage === lineage)
    assert.deepEqual(
      twins.map(({ alias }) => alias),
      ['my-twin']
    )
    const other = await publish('other', '1.0.0')
    assertRefused(
      await node.run(['capsule', 'install', other.lineage, '--yes', '--as', 'my-twin']),
      'ERR_USAGE',
      'ERR_CAPSULE_NAME_TAKEN'
    )
  })

  it('keep what they wrote at an update, and have it as it was at a rollback', async () => {
    const manifest = {
      capabilities: [{ command: 'localhost/*', resource: 'localhost://*', reason: 'To count its runs.' }],
      requires: [{ contract: 'localhost@1' }]
    }
    const { lineage } = await publish('counter', '1.0.0', { script: COUNTER, manifest })
    await node.stop()
    node = await startCliNode(home, node.status.dataFolder, { flags: ['--shell', 'auto'] })
    const count = async (): Promise<string> =>
      (await node.succeed(['capsule', 'run', 'counter'])).stdout.trim()
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    assert.equal(await count(), 'run 1')
    assert.equal(await count(), 'run 2')
    await publish('counter', '2.0.0', { script: COUNTER, manifest })
    await node.succeed(['capsule', 'update', 'counter'])
    assert.equal(await count(), 'run 3')
    const back = await node.succeed(['capsule', 'rollback', 'counter'])
    assert.equal(back.json?.['isStateRestored'], true)
    assert.equal(await count(), 'run 3')
    await node.succeed(['capsule', 'rollback', 'counter', '--to', '2.0.0'])
    assert.equal(await count(), 'run 4')
    await node.succeed(['capsule', 'remove', 'counter'])
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    assert.equal(await count(), 'run 5')
    await node.succeed(['capsule', 'remove', 'counter', '--with-data'])
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    assert.equal(await count(), 'run 1')
  })

  it('serve a contract in place of those of this release, in the version that is installed', async () => {
    const asks = [{ command: 'localhost/*', resource: 'localhost://*', reason: 'To ask.' }]
    const asker = await publish('asker', '1.0.0', {
      script: ASKER,
      manifest: { capabilities: asks, requires: [{ contract: 'localhost@1' }] }
    })
    const provides = { provides: ['localhost@1'] }
    const first = await publish('answerer', '1.0.0', { script: ANSWERER('first'), manifest: provides })
    for (const { lineage } of [asker, first]) await node.succeed(['capsule', 'install', lineage, '--yes'])
    await node.stop()
    node = await startCliNode(home, node.status.dataFolder, { flags: ['--shell', 'auto'] })
    const run = ['capsule', 'run', 'asker', '--data', node.status.dataFolder, '--no-start']
    await using caller = await home.start(run)
    let asked = 0
    // Always the same run of the caller: a provider is not for those alone who start after it.
    const hears = async (what: string): Promise<void> => {
      caller.write('?\n')
      asked += 1
      await caller.stdout.match(new RegExp(`^(?:heard .*\n){${asked - 1}}heard ${what}\n`), {
        timeoutMs: 60_000,
        context: () => caller.stderr.text()
      })
    }
    await hears('ERR_FILE_NOT_FOUND')
    assertRefused(
      await node.run(['capsule', 'provide', 'localhost@1', 'asker', '--yes']),
      'ERR_PROVIDER_CONTRACT'
    )
    assertRefused(await node.run(['capsule', 'provide', 'localhost@1', 'answerer']), 'ERR_TERMINAL_NEEDED')
    await hears('ERR_FILE_NOT_FOUND')
    const { json } = await node.succeed(['capsule', 'provide', 'localhost@1', 'answerer', '--yes'])
    assert.equal(json?.['lineage'], first.lineage)
    await hears('first')
    await publish('answerer', '2.0.0', { script: ANSWERER('second'), manifest: provides })
    await hears('first')
    await node.succeed(['capsule', 'update', 'answerer'])
    await hears('second')
    await node.succeed(['capsule', 'rollback', 'answerer'])
    await hears('first')
    await node.succeed(['capsule', 'provide', 'localhost@1', '--shipped'])
    await hears('ERR_FILE_NOT_FOUND')
    await node.succeed(['capsule', 'provide', 'localhost@1', 'answerer', '--yes'])
    await hears('first')
    await node.succeed(['capsule', 'remove', 'answerer'])
    await hears('ERR_FILE_NOT_FOUND')
    const { json: listed } = await node.succeed(['capsule', 'provide'])
    const providers = listed?.['providers'] as { contract: string; isShipped: boolean }[]
    assert.equal(providers.find(({ contract }) => contract === 'localhost@1')?.isShipped, true)
  })

  it('are gone when they are removed, and survive a kill of the node when they are not', async () => {
    const { lineage } = await publish('gone', '1.0.0')
    await node.succeed(['capsule', 'install', lineage, '--yes'])
    const before = (await list()).map(({ alias }) => alias)
    await node.process.end({ signal: 'SIGKILL' })
    node = await startCliNode(home, node.status.dataFolder)
    assert.deepEqual(
      (await list()).map(({ alias }) => alias),
      before
    )
    await node.succeed(['capsule', 'remove', 'gone', '--with-data'])
    assertRefused(await node.run(['capsule', 'inspect', 'gone']), 'ERR_CAPSULE_NOT_INSTALLED')
    assert.deepEqual(
      (await list()).map(({ alias }) => alias),
      before.filter((alias) => alias !== 'gone')
    )
  })
})
