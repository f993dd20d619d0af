import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startCliNode, startCliSeed, type CliNode } from '../test/support/cli-node.ts'
import { createCliHome, ROOT, type CliHome, type CliResult } from '../test/support/cli.ts'
import { startProcess } from '../test/support/process.ts'
import { isMet } from '../test/support/requirements.ts'

/**
 * `npm run demo`: the whole story with separate processes on this machine, told as it happens: a seed, and Alice,
 * Bob, Cora and Dora, who know nothing but the seed.
 */

type Name = 'alice' | 'bob' | 'cora' | 'dora'

interface Stage {
  readonly home: CliHome
  readonly seed: CliNode
  readonly nodes: Map<Name, CliNode>
  readonly bootstrap: string
}

const startedAt = performance.now()

function scene(title: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)
  console.log(`\n${seconds} s  ${title}`)
}

function tell(text: string): void {
  console.log(`         ${text}`)
}

async function main(): Promise<void> {
  await using home = await createCliHome()
  const interrupt = (): void => {
    const close = async (): Promise<void> => home[Symbol.asyncDispose]()
    void close().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const stage = await openStage(home)
  await fetchByCid(stage)
  await keepPrivate(stage)
  await runByName(stage)
  await refuseForgeries(stage)
  await chat(stage)
  await loseTheSeed(stage)
  await closeStage(stage)
}

async function openStage(home: CliHome): Promise<Stage> {
  scene('A seed starts. It introduces peers to each other and does nothing else.')
  const seed = await startCliSeed(home, join(home.folder, 'seed'))
  const bootstrap = String(seed.status['bootstrapUrl'])
  tell(`its signed record: ${bootstrap}`)
  scene('Four people start a node each. All they are told is that address.')
  const nodes = new Map<Name, CliNode>()
  for (const name of ['alice', 'bob', 'cora', 'dora'] as const) {
    const node = await startCliNode(home, join(home.folder, name), { flags: ['--bootstrap', bootstrap] })
    nodes.set(name, node)
    tell(`${name.padEnd(6)} ${node.status.did}`)
  }
  return { home, seed, nodes, bootstrap }
}

async function fetchByCid(stage: Stage): Promise<void> {
  const { home } = stage
  scene('Alice adds a file of 3 MiB. Bob, who never met her, fetches it by its CID.')
  const [file, copy] = [join(home.folder, 'picture'), join(home.folder, 'copy')]
  await writeFile(file, randomBytes(3 * 1024 * 1024))
  const { json } = await personOf(stage, 'alice').act(['add', file])
  await personOf(stage, 'bob').act(['get', String(json?.['cid']), '-o', copy])
  if (!(await readFile(copy)).equals(await readFile(file)))
    throw new Error('expected the copy to be the same')
  tell('The DHT named Alice; every block was checked against the CID.')
  scene('A fifth node does the same with content routing off: nobody tells it who has the file.')
  await using lonely = await startCliNode(home, join(home.folder, 'lonely'), {
    flags: ['--bootstrap', stage.bootstrap, '--no-routing']
  })
  const args = ['get', String(json?.['cid']), '-o', join(home.folder, 'none'), '--deadline', '5']
  tell(`refused: ${refusalOf(await lonely.run(args), 'ERR_ROUTING_OFF')}`)
}

async function keepPrivate(stage: Stage): Promise<void> {
  scene('Alice adds her diary with --private. Bob knows its CID, is connected to her, and asks.')
  const file = join(stage.home.folder, 'diary')
  await writeFile(file, randomBytes(2000))
  const { json } = await personOf(stage, 'alice').act(['add', '--private', file])
  const target = ['get', String(json?.['cid']), '-o', join(stage.home.folder, 'stolen'), '--deadline', '3']
  await personOf(stage, 'bob').isRefused(target, 'ERR_CONTENT_NO_PROVIDERS', 'ERR_CONTENT_NOT_FOUND')
}

async function runByName(stage: Stage): Promise<void> {
  scene('Alice makes a capsule, signs and publishes it. Cora runs it by name, in a sandbox.')
  if (!(await isMet('bubblewrap'))) {
    tell(
      'skipped: this machine has no working sandbox, so nobody else’s capsule runs (elastos doctor says more)'
    )
    return
  }
  const folder = join(stage.home.folder, 'hello')
  await stage.home.run(['capsule', 'new', 'hello', '--folder', folder])
  const { json } = await personOf(stage, 'alice').act(['capsule', 'publish', folder])
  await personOf(stage, 'cora').act(['contact', 'add', 'alice', String(json?.['publisher'])])
  const ran = await personOf(stage, 'cora').act(['capsule', 'run', 'alice/hello'], 'from a friend\n')
  if (!ran.stdout.includes('from a friend')) throw new Error('expected the capsule to answer')
  for (const line of ran.stdout.split('\n').filter((text) => !text.startsWith('{') && text !== ''))
    tell(`  ${line}`)
}

async function refuseForgeries(stage: Stage): Promise<void> {
  scene('A forger publishes capsules that are not what they claim to be. Cora tries to run each.')
  const script = join(ROOT, 'test', 'e2e', 'hostile-publisher.ts')
  await using forger = await startProcess({
    command: process.execPath,
    args: [script, join(stage.home.folder, 'forger'), stage.bootstrap],
    env: stage.home.env
  })
  const forged = await forger.event('published', { timeoutMs: 60_000 })
  const forgeries = [
    ['flipped', 'a flipped byte', 'ERR_CAPSULE_TAMPERED'],
    ['signer', 'another’s signature', 'ERR_CAPSULE_SIGNER'],
    ['unsigned', 'no signature', 'ERR_CAPSULE_UNSIGNED']
  ] as const
  const attempt = (target: unknown): string[] => ['capsule', 'run', String(target), '--deadline', '20']
  for (const [key, what, code] of forgeries) {
    tell(`${what}:`)
    await personOf(stage, 'cora').isRefused(attempt(forged[key]), code)
  }
  await personOf(stage, 'cora').act(['capsule', 'verify', String(forged['name'])])
  forger.write('go back\n')
  await forger.event('went-back', { timeoutMs: 60_000 })
  tell('a name that went back to an older version:')
  await personOf(stage, 'cora').isRefused(attempt(forged['name']), 'ERR_NAME_STALE')
}

async function chat(stage: Stage): Promise<void> {
  scene('Cora and Dora enter the same room. Nobody introduced them.')
  const enter = async (name: Name): ReturnType<CliHome['start']> => {
    const data = join(stage.home.folder, name)
    return await stage.home.start([
      'chat',
      'greenhouse',
      '--nick',
      name,
      '--json',
      '--no-start',
      '--data',
      data
    ])
  }
  await using cora = await enter('cora')
  await cora.event('here')
  await using dora = await enter('dora')
  const enteredAt = performance.now()
  dora.write('is anybody here?\n')
  await cora.stdout.line((line) => line.includes('is anybody here?'))
  tell('dora: is anybody here?')
  cora.write('yes: cora\n')
  await dora.stdout.line((line) => line.includes('yes: cora'))
  tell(
    `cora: yes: cora            (${((performance.now() - enteredAt) / 1000).toFixed(1)} s after dora came)`
  )
}

async function loseTheSeed(stage: Stage): Promise<void> {
  const { home, nodes, seed } = stage
  scene('The seed dies. Alice and Bob restart with nobody to introduce them.')
  seed.process.signal('SIGKILL')
  await seed.process.ended
  for (const name of ['alice', 'bob'] as const) {
    await nodes.get(name)?.stop()
    nodes.set(name, await startCliNode(home, join(home.folder, name)))
  }
  const file = join(home.folder, 'later')
  await writeFile(file, randomBytes(10_000))
  const { json } = await personOf(stage, 'alice').act(['add', file])
  for (const name of ['bob', 'dora'] as const) {
    await personOf(stage, name).act([
      'get',
      String(json?.['cid']),
      '-o',
      join(home.folder, `later-of-${name}`)
    ])
  }
  tell('They remembered the network and found each other; Dora found Alice through it too.')
}

async function closeStage({ home, nodes }: Stage): Promise<void> {
  scene('Everybody stops.')
  for (const node of nodes.values()) await node.stop()
  const left = await home.running()
  tell(left.length === 0 ? 'Nothing is left running.' : `LEFT RUNNING: ${JSON.stringify(left)}`)
  if (left.length > 0) process.exitCode = 1
}

/** Somebody who runs commands, which are shown. */
interface Person {
  /** Runs a command that must succeed. */
  act(args: readonly string[], input?: string): Promise<CliResult>
  /** Runs a command that must be refused with one of `codes`. */
  isRefused(args: readonly string[], ...codes: string[]): Promise<void>
}

function personOf({ home, nodes }: Stage, name: Name): Person {
  const node = nodes.get(name)
  if (node === undefined) throw new Error(`expected ${name} to be on stage`)
  const show = (args: readonly string[]): void =>
    tell(`${name}$ elastos ${args.join(' ').replaceAll(`${home.folder}/`, '')}`)
  return {
    act: async (args, input = '') => {
      show(args)
      return await node.succeed(args, { input })
    },
    isRefused: async (args, ...codes) => {
      show(args)
      tell(`  refused: ${refusalOf(await node.run(args), ...codes)}`)
    }
  }
}

/** The code a command was refused with. @throws Error when it was not, or with another one */
function refusalOf({ stderr, stdout }: CliResult, ...codes: string[]): string {
  const line = stderr.split('\n').find((text) => text.startsWith('{"error"')) ?? '{}'
  const { error } = JSON.parse(line) as { error?: { code: string } }
  if (error !== undefined && codes.includes(error.code)) return error.code
  throw new Error(`expected a refusal with ${codes.join(' or ')}, got: ${stderr}${stdout}`)
}

await main()
