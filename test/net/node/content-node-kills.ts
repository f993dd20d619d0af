/** A node that is killed at a random moment while it adds, fetches and collects, started again, and asked what it holds. */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '#contracts'
import type { CliHome, CliResult } from '../../support/cli.ts'
import { startCliNode, type CliNode } from '../../support/cli-node.ts'

/** What the node said is pinned, and must be so until it was told to drop it. Plain data: it is kept between slices of a long run. */
export interface ToldOfContent {
  kept: string[]
  kills: number
  /** Promises in all, those counted that were given up since. */
  promises: number
  /** Of these, what came from another node. */
  fetches: number
  collections: number
}

/** Nothing yet. */
export function createToldOfContent(): ToldOfContent {
  return { kept: [], kills: 0, promises: 0, fetches: 0, collections: 0 }
}

/** Pins that are kept at most, so that a data folder does not grow with the kills. */
const KEPT_MAX = 12
const FILE_BYTES_MAX = 6_000_000
/** After the first promise of a round, or, in one of four, after its start. */
const KILL_AFTER_MS_MAX = 2_500
const EARLY_PART = 0.25
/** A command whose node was killed has to end too. */
const COMMAND_TIMEOUT_MS = 20_000

/** What a round works with. */
export interface ContentKillRound {
  readonly home: CliHome
  /** The data folder of the node that is killed. */
  readonly data: string
  /** Who has what is fetched; it lives on. */
  readonly source: CliNode
  readonly told: ToldOfContent
  readonly random: Pick<Random, 'unit'>
}

/** Starts the node that others fetch from. */
export async function startSource(home: CliHome, data: string): Promise<CliNode> {
  return await startCliNode(home, data, { flags: ['--reach', 'local'] })
}

/** Starts the node, checks that it holds what it was told to and nothing is wrong, and kills it in the middle of its work. */
export async function contentKillRound(round: ContentKillRound): Promise<void> {
  const { home, data, source, told, random } = round
  const folder = join(home.folder, 'files')
  await mkdir(folder, { recursive: true })
  const bootstrap = source.status.addresses.find((address) => /\/tcp\/\d+\/p2p\//.test(address)) ?? ''
  const flags = ['--reach', 'local', '--bootstrap', bootstrap]
  // Drawn before anything else: what the workers do takes as long as it takes.
  const [isEarly, afterMs] = [random.unit() < EARLY_PART, random.unit() * KILL_AFTER_MS_MAX]
  const node = await startCliNode(home, data, { flags })
  try {
    await check(node, told)
    await node.succeed(['node', 'connect', bootstrap])
    let isAlive = true
    let killer: NodeJS.Timeout | undefined
    const kill = (): void => {
      isAlive = false
      node.process.signal('SIGKILL')
    }
    const arm = (): void => void (killer ??= setTimeout(kill, afterMs))
    if (isEarly) arm()
    const work = { node, folder, told, source, isAlive: () => isAlive, onPromise: arm }
    const ends = await Promise.allSettled([add(work), fetch(work), dropAndCollect(work)])
    clearTimeout(killer)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await node.process.ended
    told.kills++
  } finally {
    await node[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

async function check(node: CliNode, told: ToldOfContent): Promise<void> {
  const { json } = await node.succeed(['repo', 'verify'])
  assert.deepEqual([json?.['corrupt'], json?.['incomplete']], [[], []], `after ${told.kills} kills`)
  const { stdout } = await node.succeed(['pin', 'list'])
  const pinned = new Set(stdout.match(/\bbafy[a-z2-7]+|\bbafk[a-z2-7]+/g))
  for (const cid of told.kept) assert.ok(pinned.has(cid), `${cid} was promised and is not pinned`)
  // What was pinned or dropped as the kill came.
  for (const cid of pinned) if (!told.kept.includes(cid)) await node.succeed(['pin', 'rm', cid])
}

interface Work {
  readonly node: CliNode
  readonly folder: string
  readonly source: CliNode
  readonly told: ToldOfContent
  readonly isAlive: () => boolean
  readonly onPromise: () => void
}

/** A command that may fail only because the node was killed. */
async function say({ node, isAlive }: Work, args: readonly string[]): Promise<CliResult | undefined> {
  const result = await node.run(args, { timeoutMs: COMMAND_TIMEOUT_MS })
  assert.notEqual(result.signal, 'SIGKILL', `${args.join(' ')} did not end`)
  if (result.code === 0) return result
  assert.ok(!isAlive(), `${args.join(' ')}: ${result.stderr}`)
  return undefined
}

async function makeFile({ folder }: Work, name: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, randomBytes(randomInt(1, FILE_BYTES_MAX)))
  return path
}

async function add(work: Work): Promise<void> {
  const path = await makeFile(work, 'added')
  for (;;) {
    const added = await say(work, ['add', path, '--private'])
    if (added === undefined) return
    assert.equal(typeof added.json?.['cid'], 'string', added.stdout)
    keep(work, String(added.json?.['cid']))
    await makeFile(work, 'added')
  }
}

async function fetch(work: Work): Promise<void> {
  for (;;) {
    const path = await makeFile(work, 'offered')
    const cid = String((await work.source.succeed(['add', path])).json?.['cid'])
    const isPinned = (await say(work, ['pin', 'add', cid])) !== undefined
    await work.source.succeed(['pin', 'rm', cid])
    if (!isPinned) return
    work.told.fetches++
    keep(work, cid)
  }
}

function keep({ told, onPromise }: Work, cid: string): void {
  onPromise()
  told.kept.push(cid)
  told.promises++
}

async function dropAndCollect(work: Work): Promise<void> {
  const { told } = work
  for (;;) {
    while (told.kept.length > KEPT_MAX) {
      // Whether it is gone is not known where the node is killed meanwhile.
      const [cid = ''] = told.kept.splice(0, 1)
      if ((await say(work, ['pin', 'rm', cid])) === undefined) return
    }
    if ((await say(work, ['repo', 'gc'])) === undefined) return
    told.collections++
  }
}
