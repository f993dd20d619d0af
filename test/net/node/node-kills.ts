/** A node with capsules at work that is killed at a random moment, started again, and asked what it remembers. */
import assert from 'node:assert/strict'
import type { Random } from '#contracts'
import { writeCapsuleFolder } from '../../support/capsule-folder.ts'
import type { CliHome, CliResult } from '../../support/cli.ts'
import { startCliNode, type CliNode } from '../../support/cli-node.ts'

/** What the node said was done, and must be so for ever. Plain data: it is kept between slices of a long run. */
export interface ToldByNode {
  /** Tokens by the number of the keeper they were granted to. */
  readonly granted: Record<string, string>
  readonly revoked: string[]
  /** What a keeper was told is kept. */
  readonly kept: Record<string, string>
  /** Keepers with something under way when the node was killed: it may be done or not. */
  readonly unknown: string[]
  next: number
}

/** Nothing yet. */
export function createToldByNode(): ToldByNode {
  return { granted: {}, revoked: [], kept: {}, unknown: [], next: 0 }
}

/** Grants that are held at a time: fewer than one capsule may have. */
const HELD_MAX = 100
/** Values looked up again after a kill: all of them would take longer with every one. */
const CHECKED_MAX = 3

const KEEPER = `const [number, value] = capsule.args
await capsule.request({ command: 'localhost/*', resource: 'localhost://k' + number + '/*', reason: 'to keep it' })
const path = 'k' + number + '/value'
if (value !== undefined) {
  await capsule.call('localhost/mkdir', { path: 'k' + number }).catch(() => undefined)
  await capsule.call('localhost/write', { path, data: btoa(value) })
}
console.log('kept ' + atob((await capsule.call('localhost/read', { path })).data))
`

const MANIFEST = {
  capabilities: [{ command: 'localhost/*', resource: 'localhost://*', reason: 'to keep it' }],
  requires: [{ contract: 'localhost@1' }]
}

/** Writes the keeper, a capsule that keeps one value below a number it was given. Compiled once: it runs a thousand times. */
export async function writeKeeper(folder: string): Promise<string> {
  return await writeCapsuleFolder(folder, { name: 'keeper', script: KEEPER, manifest: MANIFEST })
}

/** What a round works with. */
export interface KillRound {
  readonly home: CliHome
  readonly data: string
  readonly keeper: string
  readonly told: ToldByNode
  readonly random: Random
}

/** Starts a node, checks that it remembers all it was told, has it work, and kills it in the middle of that. */
export async function killRound(round: KillRound): Promise<void> {
  const node = await startCliNode(round.home, round.data)
  await checkNode(round, node)
  const startedAtMs = performance.now()
  assert.ok(await work(round, node), 'expected a keeper to keep something')
  // Within the next piece of work, however long one takes on this machine.
  const pieceMs = performance.now() - startedAtMs
  const killer = setTimeout(() => node.process.signal('SIGKILL'), round.random.unit() * 1.5 * pieceMs)
  try {
    while (await work(round, node));
    await node.process.ended
  } finally {
    clearTimeout(killer)
    await node[Symbol.asyncDispose]()
  }
}

/** Revokes the oldest grant when there are many. False when the node was killed. */
async function makeRoom(told: ToldByNode, node: CliNode): Promise<boolean> {
  const held = Object.keys(told.granted).filter((number) => !told.revoked.includes(number))
  const [oldest = ''] = held
  const token = told.granted[oldest]
  if (held.length < HELD_MAX || token === undefined) return true
  Reflect.deleteProperty(told.kept, oldest)
  told.unknown.push(oldest)
  if ((await node.run(['grant', 'revoke', token])).code !== 0) return false
  told.revoked.push(oldest)
  told.unknown.splice(told.unknown.indexOf(oldest), 1)
  return true
}

/** One more keeper, and now and then a revocation. False when the node was killed. */
async function work({ keeper, told, random }: KillRound, node: CliNode): Promise<boolean> {
  if (!(await makeRoom(told, node))) return false
  const number = String(told.next++)
  const value = `v${number}`
  told.unknown.push(number)
  const keep = async (): Promise<CliResult> =>
    await node.run(['capsule', 'run', keeper, '--dev', number, value])
  await keep()
  const asked = (await node.run(['grant', 'pending'])).json as
    { questions?: { id: string; resource: string }[] } | undefined
  const id = asked?.questions?.find(({ resource }) => resource === `localhost://k${number}/*`)?.id
  if (id === undefined) return false
  if ((await node.run(['grant', 'answer', id, '--allow', 'always'])).code !== 0) return false
  const token = (await grantsOf(node)).find(({ resource }) => resource === `localhost://k${number}/*`)?.cid
  if (token === undefined) return false
  told.granted[number] = token
  if (random.unit() < 0.3) {
    if ((await node.run(['grant', 'revoke', token])).code !== 0) return false
    told.revoked.push(number)
  } else {
    const result = await keep()
    if (!result.stdout.includes(`kept ${value}`)) return false
    told.kept[number] = value
  }
  told.unknown.splice(told.unknown.indexOf(number), 1)
  return true
}

async function grantsOf(node: CliNode): Promise<{ cid: string; resource: string }[]> {
  const { json } = await node.run(['grant', 'list'])
  return (json as { grants?: { cid: string; resource: string }[] } | undefined)?.grants ?? []
}

async function checkNode({ keeper, told, random }: KillRound, node: CliNode): Promise<void> {
  await node.succeed(['audit', 'verify'])
  await node.succeed(['audit', 'replay'])
  const held = new Set((await grantsOf(node)).map(({ cid }) => cid))
  for (const [number, token] of Object.entries(told.granted)) {
    if (told.revoked.includes(number)) assert.ok(!held.has(token), `the grant of ${number} came back`)
    else if (!told.unknown.includes(number)) assert.ok(held.has(token), `the grant of ${number} is lost`)
  }
  const kept = Object.entries(told.kept)
  for (let checked = 0; checked < Math.min(CHECKED_MAX, kept.length); checked++) {
    const [number, value] = kept[Math.floor(random.unit() * kept.length)] ?? []
    if (number === undefined) continue
    const { stdout } = await node.succeed(['capsule', 'run', keeper, '--dev', number])
    assert.match(stdout, new RegExp(`kept ${value ?? ''}\\n`), `the value of ${number} is lost`)
  }
}
