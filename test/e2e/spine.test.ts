/**
 * The whole spine with five processes: a seed S and four nodes A, B, C, D, each with a data folder of its own, mDNS
 * off, over real sockets on loopback. What a person would do with the command line is what the test does.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCliHome, ROOT, type CliHome, type CliResult } from '../support/cli.ts'
import { startProcess, type RunningProcess } from '../support/process.ts'
import { needs } from '../support/requirements.ts'

type Status = Record<string, unknown> & {
  addresses: string[]
  peerId: string
  personDid: string
  pid: number
}

describe('five processes, nobody introduced', () => {
  let home: CliHome
  let seed: RunningProcess
  let bootstrap: string
  const nodes = new Map<string, RunningProcess>()
  const data = (name: string): string => join(home.folder, name)

  const startNode = async (name: string, flags: readonly string[] = []): Promise<Status> => {
    const node = await home.start(['node', 'start', '--json', '--no-mdns', '--data', data(name), ...flags])
    nodes.set(name, node)
    return (await node.event('listening')) as Status
  }
  const stopNode = async (name: string): Promise<void> => {
    const node = nodes.get(name)
    nodes.delete(name)
    assert.ok(node)
    const end = await node.end({ signal: 'SIGINT' })
    assert.equal(end.code, 0, node.stderr.text())
  }
  const elastos = async (name: string, args: readonly string[], input?: string): Promise<CliResult> =>
    await home.run(
      [...args, '--data', data(name), '--json', '--no-start'],
      input === undefined ? {} : { input }
    )
  const succeed = async (name: string, args: readonly string[], input?: string): Promise<CliResult> => {
    const result = await elastos(name, args, input)
    assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`)
    return result
  }
  const refuse = async (name: string, args: readonly string[]): Promise<string> => {
    const result = await elastos(name, args)
    assert.notEqual(result.code, 0, `expected a refusal of: ${args.join(' ')}\n${result.stdout}`)
    return errorCodeOf(result)
  }
  const peersOf = async (name: string): Promise<string[]> => {
    const { json } = await succeed(name, ['node', 'peers'])
    return (json as { peers: { peerId: string }[] }).peers.map(({ peerId }) => peerId)
  }

  const status = new Map<string, Status>()

  before(async function () {
    this.timeout(120_000)
    home = await createCliHome()
    seed = await home.start([
      ...['seed', 'start', '--dev', '--json', '--no-mdns', '--data', data('seed')],
      ...['--http', '127.0.0.1:0', '--metrics-port', '0']
    ])
    const listening = await seed.event('listening')
    bootstrap = String(listening['bootstrapUrl'])
    for (const name of ['a', 'b', 'c', 'd']) {
      status.set(name, await startNode(name, ['--bootstrap', bootstrap]))
    }
  })

  after(async () => {
    for (const node of nodes.values()) await node.end()
    await seed.end()
    await home[Symbol.asyncDispose]()
  })

  it('B, which was told of the seed only, fetches by CID from A, which the DHT named', async () => {
    const file = join(home.folder, 'picture')
    await writeFile(file, randomBytes(3 * 1024 * 1024))
    const { json } = await succeed('a', ['add', file])
    assert.equal(json?.['isPublic'], true)
    const output = join(home.folder, 'picture-of-b')
    await succeed('b', ['get', String(json['cid']), '-o', output])
    assert.deepEqual(await readFile(output), await readFile(file))
    assert.ok((await peersOf('b')).includes(peerIdOf(status, 'a')))
  })

  it('with content routing off the same fetch fails with its code', async () => {
    const file = join(home.folder, 'control')
    await writeFile(file, randomBytes(4096))
    const { json } = await succeed('a', ['add', file])
    const cid = String(json?.['cid'])
    let isRefused = false
    for (let tries = 0; !isRefused && tries < 5; tries++) {
      const name = `e${tries}`
      await startNode(name, ['--bootstrap', bootstrap, '--no-routing'])
      const args = ['get', cid, '-o', join(home.folder, `control-of-${name}`), '--deadline', '5']
      const got = await elastos(name, args)
      isRefused = got.code !== 0
      if (isRefused) assert.equal(errorCodeOf(got), 'ERR_ROUTING_OFF')
      // A may have met it while it told others of what it added: then this proves nothing, and the next has another name.
      else assert.ok((await peersOf(name)).includes(peerIdOf(status, 'a')), got.stdout)
      await stopNode(name)
    }
    assert.ok(isRefused, 'A knew whoever came')
  })

  it('a private CID is not served, not even to who knows it', async () => {
    const file = join(home.folder, 'diary')
    await writeFile(file, randomBytes(2000))
    const { json } = await succeed('a', ['add', '--private', file])
    assert.equal(json?.['isPublic'], false)
    const cid = String(json['cid'])
    assert.ok((await peersOf('b')).includes(peerIdOf(status, 'a')), 'B must be able to ask A directly')
    const code = await refuse('b', ['get', cid, '-o', join(home.folder, 'diary-of-b'), '--deadline', '4'])
    assert.match(code, /^ERR_CONTENT_(NO_PROVIDERS|NOT_FOUND)$/)
  })

  it('C runs by name a capsule that A published', async function () {
    await needs(this, 'bubblewrap')
    this.timeout(120_000)
    const folder = join(home.folder, 'hello')
    const made = await home.run(['capsule', 'new', 'hello', '--folder', folder])
    assert.equal(made.code, 0, made.stderr)
    const published = await succeed('a', ['capsule', 'publish', folder])
    await succeed('c', ['contact', 'add', 'alice', String(published.json?.['publisher'])])
    const byName = await succeed('c', ['capsule', 'run', 'alice/hello'], 'from a friend\n')
    assert.match(byName.stdout, /hello/i)
    assert.match(byName.stdout, /from a friend/)
    const byCid = await succeed('d', ['capsule', 'run', String(published.json?.['cid'])], '')
    assert.match(byCid.stdout, /hello/i)
  })

  it('refuses a flipped byte, a wrong signer, a stale name and a missing signature, and runs none of them', async function () {
    this.timeout(120_000)
    const script = join(ROOT, 'test', 'e2e', 'hostile-publisher.ts')
    await using hostile = await startProcess({
      command: process.execPath,
      args: [script, data('hostile'), bootstrap],
      env: { ...home.env, PATH: process.env['PATH'] }
    })
    const bad = (await hostile.event('published', { timeoutMs: 60_000 })) as unknown as Record<string, string>
    const codes = {
      flipped: await refuse('c', ['capsule', 'run', bad['flipped'] ?? '', '--deadline', '20']),
      signer: await refuse('c', ['capsule', 'run', bad['signer'] ?? '', '--deadline', '20']),
      unsigned: await refuse('c', ['capsule', 'run', bad['unsigned'] ?? '', '--deadline', '20'])
    }
    // The name was seen at its second version; the publisher then signs an index that goes back to the first.
    await succeed('c', ['capsule', 'verify', bad['name'] ?? ''])
    hostile.write('go back\n')
    await hostile.event('went-back', { timeoutMs: 60_000 })
    const stale = await refuse('c', ['capsule', 'run', bad['name'] ?? '', '--deadline', '20'])
    assert.equal(codes.unsigned, 'ERR_CAPSULE_UNSIGNED')
    assert.equal(codes.signer, 'ERR_CAPSULE_SIGNER')
    assert.equal(stale, 'ERR_NAME_STALE')
    assert.equal(
      new Set([codes.flipped, codes.signer, codes.unsigned, stale]).size,
      4,
      JSON.stringify({ codes, stale })
    )
    const { stdout } = await home.run(['node', 'logs', '--json', '--data', data('c')])
    const started = stdout.split('\n').filter((line) => line.includes('"capsule starts"'))
    assert.ok(started.length > 0, 'the log does not tell what was started: the proof would be void')
    assert.deepEqual(
      started.filter((line) => !line.includes('"name":"hello"')),
      [],
      'something of a refused capsule was started'
    )
  })

  it('C and D chat though nobody introduced them', async function () {
    this.timeout(60_000)
    const chat = async (name: string, nick: string): Promise<RunningProcess> =>
      await home.start(['chat', 'greenhouse', '--nick', nick, '--json', '--no-start', '--data', data(name)])
    await using c = await chat('c', 'cora')
    await c.event('here')
    await using d = await chat('d', 'dora')
    const hears = async (process: RunningProcess, text: string): Promise<void> => {
      await process.stdout.line((line) => line.includes(`"text":${JSON.stringify(text)}`), {
        timeoutMs: 5_000
      })
    }
    d.write('is anybody here?\n')
    await hears(c, 'is anybody here?')
    c.write('yes: cora\n')
    await hears(d, 'yes: cora')
    for (const process of [c, d]) assert.equal((await process.end({ signal: 'SIGINT' })).code, 0)
  })

  it('with the seed killed, A and B restart, find each other, and a third finds what A provides', async function () {
    this.timeout(120_000)
    const file = join(home.folder, 'later')
    await writeFile(file, randomBytes(10_000))
    seed.signal('SIGKILL')
    await seed.ended
    await stopNode('a')
    await stopNode('b')
    status.set('a', await startNode('a'))
    status.set('b', await startNode('b'))
    const { json } = await succeed('a', ['add', file])
    const output = join(home.folder, 'later-of-b')
    await succeed('b', ['get', String(json?.['cid']), '-o', output])
    assert.deepEqual(await readFile(output), await readFile(file))
    await succeed('d', ['get', String(json?.['cid']), '-o', join(home.folder, 'later-of-d')])
  })

  it('leaves no process, socket or temporary file', async () => {
    for (const name of [...nodes.keys()]) await stopNode(name)
    assert.deepEqual(await home.running(), [])
    for (const name of ['a', 'b', 'c', 'd']) {
      const left = await leftovers(data(name))
      assert.deepEqual(left, [], `left in ${name}`)
    }
  })
})

function peerIdOf(status: Map<string, Status>, name: string): string {
  return status.get(name)?.peerId ?? ''
}

function errorCodeOf(result: CliResult): string {
  const line = result.stderr.split('\n').find((text) => text.startsWith('{"error"'))
  assert.ok(line, `expected an error in JSON: ${result.stderr}`)
  return (JSON.parse(line) as { error: { code: string } }).error.code
}

/** Sockets, locks and temporary files that a stopped node should not leave. */
async function leftovers(folder: string): Promise<string[]> {
  const { readdir } = await import('node:fs/promises')
  const entries = await readdir(folder, { recursive: true })
  return entries.filter((path) => /\.(sock|tmp|part|partial)$/.test(path))
}
