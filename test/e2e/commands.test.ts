/** What every command keeps: help, JSON, exit codes, no hanging; and how nodes start, run beside others and end. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CommandSpec } from '../../cli/command-spec.ts'
import { COMMANDS } from '../../cli/command-table.ts'
import { createCliHome, ROOT, type CliHome, type CliResult } from '../support/cli.ts'
import { assertRefused, assertSucceeded, startCliNode } from '../support/cli-node.ts'
import { needs } from '../support/requirements.ts'

const CID = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4'
const DID = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

/** What each argument of the table may be; an argument this does not know fails the test that lists commands. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  '<action>': 'list',
  '<address>': '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5',
  '<capsule>': 'hello',
  '<cid>': CID,
  '<code>': 'elastos-pair-0',
  '<command>': 'localhost/read',
  '<copies>': '3',
  '<device>': DID,
  '<did>': DID,
  '<file>': './new-export',
  '<folder>': '.',
  '<grant>': CID,
  '<id>': '1f3a',
  '<name>': 'hello',
  '<path>': '.',
  '<peer>': DID,
  '<person>': DID,
  '<petname>': 'alice',
  '<resource>': 'localhost://notes/a.txt',
  '<run>': '1',
  '<scenario>': 'no-such-scenario',
  '<shell>': 'bash',
  '<room>': 'garden',
  '<subject>': CID,
  '<target>': CID,
  '<tool>': 'echo',
  '<trace>': './run.trace'
}

describe('every command', function () {
  this.timeout(120_000)
  let home: CliHome
  before(async () => {
    home = await createCliHome()
  })
  after(async () => {
    await home[Symbol.asyncDispose]()
  })

  it('has help with an example and --json, and is listed in the help of its group', async () => {
    await twoAtATime(COMMANDS, async ({ path, example }) => {
      const { code, stdout, stderr } = await home.run([...path, '--help'])
      assert.equal(code, 0, stderr)
      assert.match(stdout, /--json/, path.join(' '))
      assert.ok(stdout.includes(`Example:\n  ${example}`), `${path.join(' ')} has no example:\n${stdout}`)
      assert.ok(example.includes(path.join(' ')), `the example of ${path.join(' ')} shows something else`)
    })
    const { stdout } = await home.run(['--help'])
    for (const { path } of COMMANDS) assert.ok(stdout.includes(`\n  ${path[0] ?? ''} `), path.join(' '))
  })

  it('ends by itself with standard input closed and no node allowed, its outcome in JSON', async () => {
    // These wait for others: a node for peers, a new device for one of its person's.
    const ending = COMMANDS.filter(({ path }) => path.at(-1) !== 'start' && path.join(' ') !== 'device join')
    await twoAtATime(ending, async (spec) => {
      const args = [...spec.path, ...requiredArguments(spec)]
      const data = join(home.folder, 'alone', spec.path.join('-'))
      const result = await home.run([...args, '--json', '--no-start', '--data', data], {
        timeoutMs: 40_000
      })
      assert.equal(result.signal, null, `${args.join(' ')} hangs`)
      const expected = EXPECTED_ALONE[spec.path.join(' ')] ?? []
      if (spec.needsNode === true) assertRefused(result, 'ERR_NODE_NOT_RUNNING', ...expected)
      else if (result.code === 0) assertOutcome(spec, result)
      else assertRefused(result, ...expected)
    })
    assert.deepEqual(await home.running(), [], 'a command with --no-start started something')
  })

  it('answers a wrong command line in JSON to who asked for JSON, and in words to a person', async () => {
    const wrong = [
      ['node', 'strat'],
      ['add'],
      ['get', '--jsn', CID],
      ['node', 'stop', 'twice'],
      ['node', 'logs', '--lines', 'many'],
      ['node', 'start', '--reach', 'moon'],
      ['seed', 'start', '--http', '80'],
      ['get', CID, '--deadline', '0'],
      ['get', CID, '--range', '9-5'],
      ['completion', 'tcsh'],
      ['id']
    ]
    await twoAtATime(wrong, async (args) => {
      const asJson = await home.run([...args, '--json'])
      assertRefused(asJson, 'ERR_USAGE')
      assert.equal(asJson.stdout, '')
      const asText = await home.run(args)
      assert.match(asText.stderr, /^elastos: .*\(ERR_USAGE\)$/m)
      assert.equal(asText.code, asJson.code)
    })
  })

  it('completes in a bash that has nothing else installed', async () => {
    const complete = async (...words: string[]): Promise<string[]> => {
      const script = [
        'source <(elastos completion bash)',
        'source <(elastos completion bash)',
        'complete -p elastos >&2',
        `COMP_WORDS=(elastos ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`,
        '_elastos_complete; printf "%s\\n" "${COMPREPLY[@]}"'
      ].join('\n')
      const env = { ...home.env, PATH: `${ROOT}:${home.env['PATH'] ?? ''}` }
      const bash = await promisify(execFile)('bash', ['--norc', '-c', script], { env, timeout: 30_000 })
      assert.match(bash.stderr, /complete .*-F _elastos_complete elastos/)
      return bash.stdout.trim().split('\n')
    }
    assert.deepEqual(await complete('capsule', 'pu'), ['publish'])
    assert.deepEqual(await complete('node', 'start', '--reach', ''), ['local', 'lan', 'public'])
    assert.ok((await complete('')).includes('chat'))
    assert.deepEqual(await complete('add', '--priv'), ['--private'])
    assert.deepEqual(await complete('add', '$(touch pwned)'), [''])
    assert.ok(!(await readdir(home.folder)).includes('pwned'), 'completion ran what was typed')
  })
})

describe('nodes and the commands that need one', function () {
  this.timeout(60_000)
  let home: CliHome
  beforeEach(async () => {
    home = await createCliHome()
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
  })

  it('a command starts a node by itself, in the folder of the platform, and later ones find it', async () => {
    await writeFile(join(home.folder, 'note'), 'hello\n')
    const added = assertSucceeded(await home.run(['add', 'note', '--json']), ['add'])
    const status = assertSucceeded(await home.run(['node', 'status', '--json', '--no-start']), ['status'])
    assert.equal(status.json?.['dataFolder'], home.dataFolder)
    assert.equal((await stat(home.dataFolder)).mode & 0o777, 0o700)
    const got = await home.run(['get', String(added.json?.['cid']), '-o', 'copy', '--no-start'])
    assert.equal(got.code, 0, got.stderr)
    assert.equal(await readFile(join(home.folder, 'copy'), 'utf8'), 'hello\n')
    const range = ['get', String(added.json?.['cid']), '--range', '1-3', '-o', 'part', '--no-start']
    assert.equal((await home.run(range)).code, 0)
    assert.equal(await readFile(join(home.folder, 'part'), 'utf8'), 'ell')
    const logs = await home.run(['node', 'logs'])
    assert.match(logs.stdout, new RegExp(`node started.*${String(status.json['did'])}`))
    await using following = await home.start(['node', 'logs', '--follow'])
    await following.stdout.match(/node started/)
    await home.run(['pin', 'rm', CID, '--no-start'])
    await following.stdout.match(/ERR_PIN_NOT_FOUND/)
    assert.equal((await following.end({ signal: 'SIGINT' })).code, 0)
    assertSucceeded(await home.run(['node', 'stop']), ['stop'])
    assert.deepEqual(await home.running(), [])
    assertRefused(await home.run(['node', 'status', '--json']), 'ERR_NODE_NOT_RUNNING')
  })

  it('node start --detach returns when the node listens; a second start says that one runs', async () => {
    const started = assertSucceeded(await home.run(['node', 'start', '--detach', '--json']), ['start'])
    assert.equal(started.json?.['event'], 'listening')
    assertRefused(await home.run(['node', 'start', '--detach', '--json']), 'ERR_NODE_ALREADY_RUNNING')
    const second = assertRefused(await home.run(['node', 'start', '--json']), 'ERR_NODE_RUNNING')
    assert.match(second.message, /node stop/)
    const status = await home.run(['node', 'status', '--json'])
    assert.equal(status.json?.['pid'], started.json['pid'], 'the first node was disturbed')
    assertSucceeded(await home.run(['node', 'stop']), ['stop'])
    assert.deepEqual(await home.running(), [])
  })

  it('a detached node that cannot start says why', async () => {
    const args = ['node', 'start', '--detach', '--json', '--listen', '/ip4/127.0.0.1/tcp/notaport']
    const { message } = assertRefused(await home.run(args), 'ERR_ADDRESS_INVALID', 'ERR_NODE_START_FAILED')
    assert.match(message, /notaport/)
  })

  it('Ctrl-C ends a node cleanly and leaves no socket, lock or temporary file', async () => {
    const node = await startCliNode(home, home.dataFolder)
    await node.stop()
    assert.equal(node.process.stdout.events().at(-1)?.['event'], 'stopped')
    assert.equal(node.process.stderr.text(), '')
    const left = await readdir(home.dataFolder, { recursive: true })
    assert.deepEqual(
      left.filter((name) => /\.(sock|tmp|part|pid)$/.test(name)),
      []
    )
    assert.deepEqual(await home.running(), [])
  })

  it('Ctrl-C on a terminal ends it too, after it has said who it is and what to try', async function () {
    await needs(this, 'terminal')
    await using terminal = await home.terminal(['node', 'start', '--no-mdns'])
    await terminal.stdout.match(/try next: .*elastos chat/)
    const text = terminal.stdout.text()
    assert.match(text, /did:key:z6Mk/)
    assert.match(text, /\/ip4\/127\.0\.0\.1\/tcp\//)
    assert.match(text, /--reach lan/)
    terminal.control('c')
    assert.deepEqual(await terminal.ended, { code: 0, signal: null })
    assert.match(terminal.stdout.text(), /stopping/)
  })

  it('an occupied default port makes it take a free one and say so', async () => {
    await using taken = await occupyDefaultPort(home)
    const { stderr, code } = await home.run(['node', 'start', '--detach'])
    assert.equal(code, 0, stderr)
    assert.match(stderr, new RegExp(`port ${taken.port} is taken`))
    const { json } = await home.run(['node', 'status', '--json'])
    assert.deepEqual(json?.['portFallback'], { wanted: taken.port })
    const addresses = json['addresses'] as string[]
    assert.ok(addresses.length > 0)
    assert.ok(addresses.every((address) => !address.includes(`/tcp/${taken.port}/`)))
  })

  it('a data folder too long for a Unix socket works', async () => {
    const data = join(
      home.folder,
      ...Array.from({ length: 4 }, () => 'a-folder-with-quite-a-long-name-indeed')
    )
    await using node = await startCliNode(home, data)
    await node.answers()
    await node.stop()
    const left = await readdir(home.folder, { recursive: true })
    assert.deepEqual(
      left.filter((name) => name.endsWith('.sock')),
      []
    )
  })
})

/** What commands that need no running node, or are about one, answer when there is neither node nor terminal. */
const EXPECTED_ALONE: Readonly<Record<string, readonly string[]>> = {
  'node status': ['ERR_NODE_NOT_RUNNING'],
  'node peers': ['ERR_NODE_NOT_RUNNING'],
  'deny add': ['ERR_NODE_NOT_RUNNING'],
  'deny remove': ['ERR_NODE_NOT_RUNNING'],
  'deny list': ['ERR_NODE_NOT_RUNNING'],
  'id show': ['ERR_KEYSTORE_MISSING'],
  'id words': ['ERR_TERMINAL_NEEDED'],
  'id lock': ['ERR_KEYSTORE_MISSING'],
  'id unlock': ['ERR_KEYSTORE_MISSING'],
  'id export': ['ERR_KEYSTORE_MISSING'],
  'id recover': ['ERR_USAGE'],
  'capsule build': ['ERR_PACKAGE_INVALID', 'ERR_MANIFEST_INVALID'],
  // Where it would be built something else is.
  'guest build': ['ERR_VM_GUEST_BUILD'],
  'sim run': ['ERR_SIM_UNKNOWN'],
  // Without a seed there is nothing to run again.
  'sim replay': ['ERR_USAGE'],
  // Without a CID it wants --status.
  'dht provide': ['ERR_USAGE'],
  // Without a name it wants --all.
  'capsule stop': ['ERR_USAGE']
}

function requiredArguments({ args = [] }: CommandSpec): string[] {
  return args
    .filter((name) => name.startsWith('<'))
    .map((name) => {
      const value = ARGUMENTS[name]
      assert.ok(value, `the test knows no value for ${name}`)
      return value
    })
}

function assertOutcome({ path }: CommandSpec, { stdout, json }: CliResult): void {
  const hasNoResult = ['node logs', 'completion'].includes(path.join(' '))
  if (!hasNoResult) assert.ok(json, `${path.join(' ')} printed no JSON: ${stdout}`)
}

async function twoAtATime<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  const work = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await task(item)
  }
  await Promise.all([work(), work()])
}

/** Listens where a node would by default; whoever listens there already serves as well. */
async function occupyDefaultPort(home: CliHome): Promise<{ port: number } & AsyncDisposable> {
  await using node = await startCliNode(home, join(home.folder, 'first'))
  const wanted = node.status['portFallback'] as { wanted: number } | undefined
  const port = wanted?.wanted ?? Number(/\/tcp\/(\d+)\//.exec(node.status.addresses[0] ?? '')?.[1])
  await node.stop()
  // A node that remembers somebody at this port calls: an open connection would keep the server from closing.
  const server = createServer((socket) => socket.destroy())
  server.listen(port, '127.0.0.1')
  // Taken by somebody else already: just as good.
  await new Promise<void>((done) => {
    server.once('listening', done)
    server.once('error', () => done())
  })
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await new Promise((done) => server.close(done))
    }
  }
}
